import { expect, test } from "bun:test"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import { measure, rowsFor, rowsOf } from "../../../src/engines/gpu/tuning.ts"
import { fakeCompute } from "./fake-compute.ts"

test("a launch has as many rows as take its time", () => {
  expect(rowsFor(1e9, 100)).toBe(390_625)
  expect(rowsFor(1000, 100)).toBe(1)
  expect(rowsFor(1e15, 100)).toBe(2 ** 23)
})

test("a batch is whole rows, at least one", () => {
  expect(rowsOf(1)).toBe(1)
  expect(rowsOf(2 ** 20)).toBe(4096)
  expect(rowsOf(2 ** 40)).toBe(2 ** 23)
})

test("a rate is measured by launches that take a while, the best of several", () => {
  let time = 0
  const compute = fakeCompute(() => false)
  const launch = compute.launch.bind(compute)
  compute.launch = (kernel, groups, size, args) => {
    // A hundred thousand nonces a second, and now and then a hiccup.
    if (kernel === "search") time += (args[2] as { u32: number }).u32 * 2.56 + (compute.launched.length % 4) * 100
    launch(kernel, groups, size, args)
  }
  expect(measure(new DeviceSearch("opencl", compute), () => time)).toBeCloseTo(100_000)
})
