import { describe, expect, test } from "bun:test"
import { lockMutex, type MutexFunctions } from "../../../src/host/windows/mutex.ts"

describe("a named mutex", () => {
  /** A kernel32.dll with one mutex per name, which `owner` may hold. */
  const kernel32 = (owner: "nobody" | "other" | "dead" | "hidden") => {
    const calls: string[] = []
    const functions: MutexFunctions = {
      CreateMutexW(_security, _owned, name) {
        calls.push(String.fromCharCode(...name))
        return owner === "hidden" ? 0 : 7
      },
      WaitForSingleObject: () => ({ nobody: 0, dead: 0x80, other: 0x102, hidden: 0xffff_ffff })[owner],
      ReleaseMutex: handle => calls.push(`release ${handle}`),
      CloseHandle: handle => calls.push(`close ${handle}`),
    }
    return { functions, calls }
  }

  test("is held until it is released", () => {
    const { functions, calls } = kernel32("nobody")
    const locked = lockMutex("gpu-a", functions)
    expect(calls).toEqual(["Global\\gpu-a\0"])
    if (locked.kind === "locked") locked.lock.release()
    expect(calls.slice(1)).toEqual(["release 7", "close 7"])
  })

  test("is acquired after its owner crashed", () => {
    expect(lockMutex("a", kernel32("dead").functions).kind).toBe("locked")
  })

  test("excludes a second miner, also one of another user", () => {
    const { functions, calls } = kernel32("other")
    expect(lockMutex("a", functions).kind).toBe("taken")
    expect(calls.at(-1)).toBe("close 7")
    expect(lockMutex("a", kernel32("hidden").functions).kind).toBe("taken")
  })
})
