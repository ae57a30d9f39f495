import { describe, expect, test } from "bun:test"
import { activityIn, threadActivity } from "../../../src/host/windows/thread-activity.ts"
import { windows } from "../../../src/host/windows/windows.ts"

interface Thread {
  readonly id: number
  readonly state: number
  readonly reason?: number
  readonly kernelMs: number
  readonly userMs: number
}

/** SYSTEM_PROCESS_INFORMATION with its threads. */
function record(processId: number, threads: readonly Thread[], isLast: boolean): Buffer {
  const bytes = Buffer.alloc(0x100 + 0x50 * threads.length + 16)
  bytes.writeUInt32LE(isLast ? 0 : bytes.length, 0)
  bytes.writeUInt32LE(threads.length, 4)
  bytes.writeBigUInt64LE(BigInt(processId), 0x50)
  threads.forEach(({ id, state, reason = 0, kernelMs, userMs }, i) => {
    const at = 0x100 + 0x50 * i
    bytes.writeBigInt64LE(BigInt(kernelMs * 1e4), at)
    bytes.writeBigInt64LE(BigInt(userMs * 1e4), at + 8)
    bytes.writeBigUInt64LE(BigInt(processId), at + 0x28)
    bytes.writeBigUInt64LE(BigInt(id), at + 0x30)
    bytes.writeUInt32LE(state, at + 0x44)
    bytes.writeUInt32LE(reason, at + 0x48)
  })
  return bytes
}

test("a thread is found among those of its process, with its state and its time", () => {
  const records = Buffer.concat([
    record(4, [{ id: 8, state: 2, kernelMs: 1, userMs: 1 }], false),
    record(
      100,
      [
        { id: 8, state: 5, kernelMs: 20, userMs: 300 },
        { id: 12, state: 1, kernelMs: 0, userMs: 7 },
        { id: 20, state: 5, reason: 5, kernelMs: 0, userMs: 1 },
      ],
      true,
    ),
  ])
  expect(activityIn(records, 100, 8)).toEqual({ state: "waiting", cpuMs: 320 })
  expect(activityIn(records, 100, 12)).toEqual({ state: "runnable", cpuMs: 7 })
  expect(activityIn(records, 100, 20)).toEqual({ state: "stopped", cpuMs: 1 })
  expect(activityIn(records, 100, 16)).toBeUndefined()
  expect(activityIn(records, 101, 8)).toBeUndefined()
  expect(activityIn(new Uint8Array(0), 100, 8)).toBeUndefined()
})

describe.skipIf(process.platform !== "win32")("on Windows", () => {
  test("this thread's CPU time grows while it computes", () => {
    const id = windows.currentThreadId()!
    const before = threadActivity(id)!.cpuMs
    const until = performance.now() + 300
    while (performance.now() < until);
    const after = threadActivity(id)!.cpuMs
    expect(after - before).toBeGreaterThan(30)
    expect(after - before).toBeLessThan(400)
    expect(threadActivity(0xffff_fff0)).toBeUndefined()
  })

  test("power and idle time are read without a fault", async () => {
    expect([true, false, undefined]).toContain(await windows.isOnBattery())
    expect(["number", "undefined"]).toContain(typeof (await windows.idleSeconds()))
  })
})
