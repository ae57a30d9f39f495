/** Sensors of NVIDIA cards by the management library (nvml.h). */
import type { ConvertFns } from "bun:ffi"
import type { SensorReading, SensorSource } from "../sensor-source.ts"
import { openNvmlLibrary } from "./library.ts"

const FUNCTIONS = {
  nvmlInit_v2: { args: [], returns: "i32" },
  nvmlShutdown: { args: [], returns: "i32" },
  nvmlDeviceGetHandleByPciBusId_v2: { args: ["ptr", "ptr"], returns: "i32" },
  nvmlDeviceGetTemperature: { args: ["u64", "u32", "ptr"], returns: "i32" },
  nvmlDeviceGetFanSpeed: { args: ["u64", "ptr"], returns: "i32" },
  nvmlDeviceGetPowerUsage: { args: ["u64", "ptr"], returns: "i32" },
  nvmlDeviceGetClockInfo: { args: ["u64", "u32", "ptr"], returns: "i32" },
} as const

export type NvmlFunctions = {
  readonly [Name in keyof typeof FUNCTIONS]: (...args: Parameters<ConvertFns<typeof FUNCTIONS>[Name]>) => number
}

/** NVML_TEMPERATURE_GPU; NVML_CLOCK_GRAPHICS and NVML_CLOCK_MEM. */
const GPU_TEMPERATURE = 0
const GRAPHICS_CLOCK = 0
const MEMORY_CLOCK = 2

/** @param functions tests may replace it @returns undefined without an NVIDIA driver */
export function nvmlSensors(
  functions: NvmlFunctions | undefined = openNvmlLibrary(FUNCTIONS),
): SensorSource | undefined {
  return functions && functions.nvmlInit_v2() === 0 ? new NvmlSensors(functions) : undefined
}

class NvmlSensors implements SensorSource {
  readonly #handles = new Map<string, bigint | undefined>()

  readonly #nvml: NvmlFunctions

  constructor(nvml: NvmlFunctions) {
    this.#nvml = nvml
  }

  async read(pci: string): Promise<SensorReading | undefined> {
    const device = this.#handle(pci)
    if (device === undefined) return undefined
    const nvml = this.#nvml
    const megahertz = (clock: number) => query(into => nvml.nvmlDeviceGetClockInfo(device, clock, into), 1e6)
    return {
      temperatureCelsius: query(into => nvml.nvmlDeviceGetTemperature(device, GPU_TEMPERATURE, into), 1),
      fanPercent: query(into => nvml.nvmlDeviceGetFanSpeed(device, into), 1),
      powerWatts: query(into => nvml.nvmlDeviceGetPowerUsage(device, into), 1e-3),
      clockHertz: megahertz(GRAPHICS_CLOCK),
      memoryClockHertz: megahertz(MEMORY_CLOCK),
    }
  }

  close(): void {
    this.#nvml.nvmlShutdown()
  }

  #handle(pci: string): bigint | undefined {
    if (!this.#handles.has(pci)) {
      const handle = new BigUint64Array(1)
      const status = this.#nvml.nvmlDeviceGetHandleByPciBusId_v2(new TextEncoder().encode(`${pci}\0`), handle)
      this.#handles.set(pci, status === 0 ? handle[0] : undefined)
    }
    return this.#handles.get(pci)
  }
}

/** Asks for one value and multiplies it by `scale`; undefined if the device does not report it. */
function query(call: (into: Uint32Array) => number, scale: number): number | undefined {
  const into = new Uint32Array(1)
  return call(into) === 0 ? into[0]! * scale : undefined
}
