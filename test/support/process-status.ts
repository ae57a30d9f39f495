/** What Linux reports about another process. */
import { readFileSync } from "node:fs"
import { constants } from "node:os"

/** Whether the process has a handler for the signal (proc(5): `SigCgt`); false once it has ended. */
export function catches(pid: number, signal: NodeJS.Signals): boolean {
  const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(statusOf(pid, "status")) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals[signal] - 1))) !== 0n
}

/** CPU time that the process has used, in milliseconds; 0 once it has ended. */
export function cpuMs(pid: number): number {
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it, in ticks of 10 ms.
  const fields = statusOf(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ")
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
}

function statusOf(pid: number, file: "status" | "stat"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return ""
  }
}
