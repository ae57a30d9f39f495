/** `devices`: the GPUs of this machine, and how fast each hashes. */
import type { Config } from "../config/config.ts"
import { DeviceError } from "../engines/gpu/compute.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice, lockDirectories } from "../engines/gpu/device-lock.ts"
import { type FoundDevice, findDevices } from "../engines/gpu/find-devices.ts"
import { UnsupportedDevice } from "../engines/gpu/library.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { measure, openTuned, WrongDevice } from "../engines/gpu/tuning.ts"
import { formatRate } from "../observe/units.ts"
import { version } from "../version.ts"

const HEAD = ["GPU", "Engine", "Name", "Memory", "PCI address", "Driver", "Rate"]
const BYTES_PER_GIB = 2 ** 30

export async function run({ settings, stateDir }: Config<"devices">): Promise<void> {
  const { devices, missing } = findDevices()
  if (devices.length === 0) {
    console.log(`There is no GPU that can be used: ${missing.join("; ")}`)
    return
  }
  const mined = new Set(selectDevices(devices, settings.gpuDevices, settings.allowIntegrated))
  const rows: string[][] = []
  for (const [index, found] of devices.entries()) {
    rows.push(rowOf(index, found, mined.has(found) ? rateOf(found.device, stateDir) : "left out"))
  }
  console.log(aligned([HEAD, ...rows]))
}

function rowOf(index: number, { device }: FoundDevice, rate: string): string[] {
  const { api, name, memory, pci = "unknown", driver } = device
  return [String(index), api, name, `${(memory / BYTES_PER_GIB).toFixed(1)} GiB`, pci, driver, rate]
}

/** A rate, or why there is none. A card that another process mines on is left to it: both would measure half. */
function rateOf(device: GpuDevice, stateDir: string | undefined): string {
  const locked = lockDevice(device, lockDirectories(process.env))
  if (locked.kind === "taken") return `used by process ${locked.process}`
  try {
    return measured(device, stateDir)
  } finally {
    if (locked.kind === "locked") locked.lock.release()
  }
}

function measured(device: GpuDevice, stateDir: string | undefined): string {
  const now = () => performance.now()
  try {
    const { search } = openTuned(device, { stateDir, version, recalibrate: false, now })
    try {
      return formatRate(measure(search, now))
    } finally {
      search.close()
    }
  } catch (error) {
    if (error instanceof WrongDevice) return `computes wrongly: ${error.message}`
    if (error instanceof DeviceError || error instanceof UnsupportedDevice) return `cannot be used: ${error.message}`
    throw error
  }
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
