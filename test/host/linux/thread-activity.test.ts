import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { currentThreadId } from "../../../src/host/linux/affinity.ts"
import { threadActivity } from "../../../src/host/linux/thread-activity.ts"

function activityOf(stat: string, schedstat: string) {
  const root = mkdtempSync(join(tmpdir(), "thread-activity-"))
  const directory = join(root, "proc/self/task/7")
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, "stat"), stat)
  writeFileSync(join(directory, "schedstat"), schedstat)
  try {
    return threadActivity(7, root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

test.each([
  ["R", "runnable"],
  ["S", "waiting"],
  ["D", "waiting"],
  ["t", "stopped"],
  ["T", "stopped"],
] as const)("state %s", (letter, state) => {
  expect(activityOf(`7 (a) R (b) ${letter} 1 2`, "2500000 9 1\n")).toEqual({ state, cpuMs: 2.5 })
})

test.each(["Z", "X", "x"])("a thread in state %s has ended", letter => {
  expect(activityOf(`7 (a) ${letter} 1 2`, "2500000 9 1\n")).toBeUndefined()
})

test("a thread that has ended has no activity", () => {
  expect(threadActivity(0x7fff_fffe)).toBeUndefined()
})

test.skipIf(process.platform !== "linux")("this thread runs and uses CPU time", () => {
  const threadId = currentThreadId()!
  const before = threadActivity(threadId)!
  for (let i = 0; i < 2e7; i++) Math.sqrt(i)
  const after = threadActivity(threadId)!
  expect(after.state).toBe("runnable")
  expect(after.cpuMs).toBeGreaterThan(before.cpuMs)
})
