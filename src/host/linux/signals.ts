/** Signals that were ignored when this process began (proc(5): `SigIgn`). */
import { readFileSync } from "node:fs"

const HANGUP = 1n

/** @param readStatus returns the text of `/proc/self/status` @returns false if it cannot be read */
export function ignoresHangup(readStatus = () => readFileSync("/proc/self/status", "utf8")): boolean {
  try {
    const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readStatus())!
    return (BigInt(`0x${mask}`) & (1n << (HANGUP - 1n))) !== 0n
  } catch {
    return false
  }
}
