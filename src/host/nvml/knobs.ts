/** Power limit and clocks of NVIDIA cards by the management library (nvml.h). */
import type { ConvertFns } from "bun:ffi"
import { type GpuKnobs, type GpuSetting, type Knob, RefusedSetting } from "../gpu-settings.ts"
import { openNvmlLibrary } from "./library.ts"

const FUNCTIONS = {
  nvmlInit_v2: { args: [], returns: "i32" },
  nvmlDeviceGetHandleByPciBusId_v2: { args: ["ptr", "ptr"], returns: "i32" },
  nvmlDeviceGetPowerManagementLimit: { args: ["u64", "ptr"], returns: "i32" },
  nvmlDeviceGetPowerManagementLimitConstraints: { args: ["u64", "ptr", "ptr"], returns: "i32" },
  nvmlDeviceSetPowerManagementLimit: { args: ["u64", "u32"], returns: "i32" },
  nvmlDeviceGetSupportedMemoryClocks: { args: ["u64", "ptr", "ptr"], returns: "i32" },
  nvmlDeviceGetSupportedGraphicsClocks: { args: ["u64", "u32", "ptr", "ptr"], returns: "i32" },
} as const

/** Functions of drivers from 450 on. */
const LOCKS = {
  nvmlDeviceSetGpuLockedClocks: { args: ["u64", "u32", "u32"], returns: "i32" },
  nvmlDeviceResetGpuLockedClocks: { args: ["u64"], returns: "i32" },
  nvmlDeviceSetMemoryLockedClocks: { args: ["u64", "u32", "u32"], returns: "i32" },
  nvmlDeviceResetMemoryLockedClocks: { args: ["u64"], returns: "i32" },
} as const

type Table = typeof FUNCTIONS & typeof LOCKS

export type NvmlKnobFunctions = {
  readonly [Name in keyof Table]: (...args: Parameters<ConvertFns<Table>[Name]>) => number
}

/** nvmlReturn_t. */
const REASONS: Readonly<Record<number, string>> = {
  2: "the driver does not take this value",
  3: "the driver does not offer this for the card",
  4: "it needs root (on Windows, an administrator)",
}

/** Room for the clocks of a card. */
const MAX_CLOCKS = 1024

/** The state of clocks that are not locked; NVML does not report locks. */
const UNLOCKED = "unlocked"

/** @param nvml tests may replace it @returns undefined without an NVIDIA driver that has all functions */
export function nvmlKnobs(
  nvml: NvmlKnobFunctions | undefined = openNvmlLibrary({ ...FUNCTIONS, ...LOCKS }),
): GpuKnobs | undefined {
  if (nvml?.nvmlInit_v2() !== 0) return undefined
  return {
    knob(pci, setting) {
      const handle = new BigUint64Array(1)
      const status = nvml.nvmlDeviceGetHandleByPciBusId_v2(new TextEncoder().encode(`${pci}\0`), handle)
      return status === 0 ? knobOf(nvml, handle[0]!, setting) : undefined
    },
  }
}

function knobOf(nvml: NvmlKnobFunctions, device: bigint, setting: GpuSetting): Knob | undefined {
  if (setting === "powerLimit") return powerLimit(nvml, device)
  const memory = clocks(into => nvml.nvmlDeviceGetSupportedMemoryClocks(device, ...into))
  if (setting === "memoryClock") {
    return lock(
      memory,
      (min, max) => nvml.nvmlDeviceSetMemoryLockedClocks(device, min, max),
      () => nvml.nvmlDeviceResetMemoryLockedClocks(device),
    )
  }
  const highest = Math.max(0, ...memory)
  return lock(
    clocks(into => nvml.nvmlDeviceGetSupportedGraphicsClocks(device, highest, ...into)),
    (min, max) => nvml.nvmlDeviceSetGpuLockedClocks(device, min, max),
    () => nvml.nvmlDeviceResetGpuLockedClocks(device),
  )
}

/** NVML counts milliwatts. */
function powerLimit(nvml: NvmlKnobFunctions, device: bigint): Knob | undefined {
  const [min, max, now] = [new Uint32Array(1), new Uint32Array(1), new Uint32Array(1)]
  if (nvml.nvmlDeviceGetPowerManagementLimitConstraints(device, min, max) !== 0) return undefined
  return {
    min: Math.ceil(min[0]! / 1000),
    max: Math.floor(max[0]! / 1000),
    unset: "",
    read: () => (nvml.nvmlDeviceGetPowerManagementLimit(device, now) === 0 ? `${now[0]} mW` : undefined),
    stateOf: watts => `${1000 * watts} mW`,
    write: state => check(nvml.nvmlDeviceSetPowerManagementLimit(device, Number.parseInt(state, 10))),
  }
}

/** Locks clocks up to a value; the card still lowers them when it is idle. */
function lock(
  supported: readonly number[],
  set: (min: number, max: number) => number,
  reset: () => number,
): Knob | undefined {
  if (supported.length === 0) return undefined
  const [min, max] = [Math.min(...supported), Math.max(...supported)]
  return {
    min,
    max,
    unset: UNLOCKED,
    read: () => undefined,
    stateOf: megahertz => `${megahertz} MHz`,
    write: state => check(state === UNLOCKED ? reset() : set(min, Number.parseInt(state, 10))),
  }
}

function clocks(ask: (into: [count: Uint32Array, clocks: Uint32Array]) => number): number[] {
  const [count, list] = [new Uint32Array([MAX_CLOCKS]), new Uint32Array(MAX_CLOCKS)]
  return ask([count, list]) === 0 ? [...list.subarray(0, count[0])] : []
}

function check(status: number): void {
  if (status !== 0) throw new RefusedSetting(REASONS[status] ?? `NVML error ${status}`)
}
