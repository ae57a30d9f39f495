/** One lock per device, so that two miners do not share a card. */
import { host } from "../../host/host.ts"
import type { Locked } from "../../host/platform.ts"
import { deviceKey, type GpuDevice } from "./device.ts"

/** @param lock acquires a lock of the machine; the system's by default */
export function lockDevice(
  device: GpuDevice,
  lock: (name: string) => Locked = name => host.lock(name, process.env),
): Locked {
  return lock(`quantus-miner-gpu-${identityOf(device).replace(/[^\w.-]/g, "_")}`)
}

/** Equal for every API; MIG instances of one card do not exclude each other. */
const identityOf = (device: GpuDevice): string => device.part ?? device.pci ?? deviceKey(device)
