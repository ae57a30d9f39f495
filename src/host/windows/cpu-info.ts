/** The CPU's identification from the registry. */
import type { CpuInfo } from "../platform.ts"
import { registryBinary, registryText } from "./registry.ts"

const KEY = "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0"

/** Undefined fields if the registry lacks them. */
export function readCpuInfo(text = registryText, binary = registryBinary): CpuInfo {
  const revision = binary(KEY, "Update Revision")
  return {
    model: text(KEY, "ProcessorNameString"),
    vendor: text(KEY, "VendorIdentifier"),
    microcode: revision && microcodeOf(revision),
  }
}

/** The revision is the high half of 8 bytes, or all of 4, in little-endian order. */
function microcodeOf(revision: Buffer): string | undefined {
  if (revision.length < 4) return undefined
  return `0x${revision.readUInt32LE(revision.length >= 8 ? 4 : 0).toString(16)}`
}
