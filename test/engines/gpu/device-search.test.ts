import { expect, test } from "bun:test"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import { HITS } from "../../../src/kernel/device-program.ts"
import { fakeCompute } from "./fake-compute.ts"

const state = (seed: number) => new BigUint64Array(12).fill(BigInt(seed))

test("a launch returns its hits in order", () => {
  const search = new DeviceSearch(
    "opencl",
    fakeCompute((row, t1) => row === 11 && (t1 === 3 || t1 === 200)),
  )
  search.preparePlane(state(1))
  expect([...search.take(search.launchRows(10, 3))]).toEqual([256 + 3, 256 + 200])
})

test("a launch that overflows the hit buffer is repeated in halves while another is queued", () => {
  const search = new DeviceSearch(
    "opencl",
    fakeCompute(row => row < 8),
  )
  search.preparePlane(state(1))
  const first = search.launchRows(3, 7)
  const second = search.launchRows(10, 1)
  expect([...search.take(first)]).toEqual(Array.from({ length: 5 * 256 }, (_, i) => i))
  expect([...search.take(second)]).toEqual([])
})

test("a range that overflows the hit buffer is repeated in halves", () => {
  const search = new DeviceSearch(
    "opencl",
    fakeCompute(() => true),
  )
  search.prepareRange(state(1))
  expect([...search.take(search.launchRange(5, HITS + 2))]).toEqual(Array.from({ length: HITS + 2 }, (_, i) => i))
})

test("a plane's columns are computed once, and again when a launch of an older plane is repeated", () => {
  const compute = fakeCompute(row => row < 5)
  const search = new DeviceSearch("opencl", compute)
  search.preparePlane(state(1))
  const first = search.launchRows(0, 8)
  search.preparePlane(state(2))
  const second = search.launchRows(100, 1)
  expect(compute.launched).toEqual(["columns", "rows", "search", "columns", "rows", "search"])
  search.take(first)
  expect(compute.launched.slice(6, 9)).toEqual(["columns", "rows", "search"])
  search.take(second)
})

test("a third launch is refused while two are queued", () => {
  const search = new DeviceSearch(
    "opencl",
    fakeCompute(() => false),
  )
  search.prepareRange(state(1))
  search.launchRange(0, 1)
  search.launchRange(1, 1)
  expect(() => search.launchRange(2, 1)).toThrow("more than 2 launches are queued")
})

test("close closes the device", () => {
  const compute = fakeCompute(() => false)
  new DeviceSearch("opencl", compute).close()
  expect(compute.closed).toBe(true)
})

test("two launches are queued beside each other and share no memory that is written", () => {
  const compute = fakeCompute(() => false)
  const used: { queue: number; kernel: string; memory: bigint[] }[] = []
  const launch = compute.launch.bind(compute)
  compute.launch = (queue, kernel, groups, size, args) => {
    used.push({ queue, kernel, memory: args.flatMap(arg => ("memory" in arg ? [arg.memory.handle] : [])) })
    launch(queue, kernel, groups, size, args)
  }
  const search = new DeviceSearch("opencl", compute)
  search.preparePlane(new BigUint64Array(12))
  for (const first of [search.launchRows(0, 2), search.launchRows(2, 2)]) search.take(first)
  expect(new Set(used.map(({ queue }) => queue))).toEqual(new Set([0, 1]))
  const [one, other] = [0, 1].map(queue => used.filter(use => use.queue === queue))
  expect(one!.map(({ kernel }) => kernel)).toEqual(["columns", "rows", "search"])
  expect(other!.map(({ kernel }) => kernel)).toEqual(["columns", "rows", "search"])
  const memory = (uses: typeof used) => new Set(uses.flatMap(use => use.memory))
  expect(memory(one!).isDisjointFrom(memory(other!))).toBe(true)
})
