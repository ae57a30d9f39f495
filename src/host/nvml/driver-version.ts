/** The version of NVIDIA's driver as its management library reports it: on WSL2 and Windows no file has it. */
import { openNvmlLibrary } from "./library.ts"

const FUNCTIONS = {
  nvmlInit_v2: { args: [], returns: "i32" },
  nvmlShutdown: { args: [], returns: "i32" },
  nvmlSystemGetDriverVersion: { args: ["ptr", "u32"], returns: "i32" },
} as const

/** NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE. */
const BYTES = 80

/** @returns e.g. `550.54.14`; undefined if NVML is absent or refuses */
export function nvmlDriverVersion(): string | undefined {
  const nvml = openNvmlLibrary(FUNCTIONS)
  if (nvml?.nvmlInit_v2() !== 0) return undefined
  const text = new Uint8Array(BYTES)
  const status = nvml.nvmlSystemGetDriverVersion(text, BYTES)
  nvml.nvmlShutdown()
  return status === 0 ? new TextDecoder().decode(text).replace(/\0.*$/s, "") : undefined
}
