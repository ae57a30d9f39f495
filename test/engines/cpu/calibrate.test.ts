import { expect, test } from "bun:test"
import { rateBetween } from "../../../src/engines/cpu/calibrate.ts"

test("a rate is by CPU time, so that other programs do not lower it", () => {
  const before = [
    { worker: 0, hashes: 100, busyMs: 10, cpuMs: 50 },
    { worker: 1, hashes: 0, busyMs: 0, cpuMs: 0 },
  ]
  const after = [
    { worker: 0, hashes: 300, busyMs: 50, cpuMs: 60 },
    { worker: 1, hashes: 0, busyMs: 40, cpuMs: 0 },
    { worker: 2, hashes: 1000, busyMs: 40, cpuMs: 40 },
  ]
  expect(rateBetween(before, after)).toBe(20_000)
})

test("without CPU times a rate is by the time in the kernel", () => {
  const after = [{ worker: 0, hashes: 300, busyMs: 50, cpuMs: undefined }]
  expect(rateBetween([{ worker: 0, hashes: 100, busyMs: 10, cpuMs: 50 }], after)).toBe(5000)
})
