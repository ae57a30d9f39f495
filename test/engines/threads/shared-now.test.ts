import { expect, test } from "bun:test"
import { sharedNow, threadOffset } from "../../../src/engines/threads/shared-now.ts"

test("a step of the wall clock between two threads' starts changes nothing", () => {
  // The second thread starts 100 ms after the first, and the wall clock is set back by an hour in between.
  const first = { timeOrigin: 10_000_000, now: () => 150 }
  const second = { timeOrigin: 10_000_100 - 3_600_000, now: () => 50 }
  const monotonicUs = 7_000_150_000n
  expect(threadOffset(first, monotonicUs) + first.now()).toBe(threadOffset(second, monotonicUs) + second.now())
})

test("without a C library the wall clock of the start is used", () => {
  expect(threadOffset({ timeOrigin: 5000, now: () => 1 }, undefined)).toBe(5000)
})

test("a worker's clock agrees with the main thread's", async () => {
  const worker = new Worker(new URL("./clock-worker.ts", import.meta.url))
  const read = new Promise<number>(resolve => worker.addEventListener("message", ({ data }) => resolve(data)))
  const before = sharedNow()
  worker.postMessage("now")
  const there = await read
  const after = sharedNow()
  worker.terminate()
  expect(there).toBeGreaterThanOrEqual(before - 0.01)
  expect(there).toBeLessThanOrEqual(after + 0.01)
})
