/** What an arm64 core can execute beyond the base architecture, as Linux reports it to each process. */
import { readFileSync } from "node:fs"

export interface Capabilities {
  /** 128-bit vectors. Every system for this architecture requires them, except embedded ones. */
  readonly neon: boolean
  readonly sve2: boolean
}

/** Keys and bits of the auxiliary vector. Source: Linux, include/uapi/linux/auxvec.h, arch/arm64/include/uapi/asm/hwcap.h */
const AT_HWCAP = 16n
const AT_HWCAP2 = 26n
const HWCAP_ASIMD = 1n << 1n
const HWCAP2_SVE2 = 1n << 1n

/** @param auxiliary pairs of 64-bit words: a key and a value */
export function capabilitiesIn(auxiliary: Uint8Array): Capabilities {
  const view = new DataView(auxiliary.buffer, auxiliary.byteOffset, auxiliary.byteLength)
  const values = new Map<bigint, bigint>()
  for (let at = 0; at + 16 <= auxiliary.byteLength; at += 16)
    values.set(view.getBigUint64(at, true), view.getBigUint64(at + 8, true))
  const has = (key: bigint, bit: bigint) => ((values.get(key) ?? 0n) & bit) !== 0n
  return { neon: has(AT_HWCAP, HWCAP_ASIMD), sve2: has(AT_HWCAP2, HWCAP2_SVE2) }
}

/** The capabilities of this machine. Where the system does not report them, the base architecture's. */
export function capabilities(): Capabilities {
  try {
    return capabilitiesIn(readFileSync("/proc/self/auxv"))
  } catch {
    return { neon: true, sve2: false }
  }
}
