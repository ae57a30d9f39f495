import { expect, test } from "bun:test"
import { ScheduleSearch } from "../../../src/engines/cpu/search-schedules.ts"
import type { Schedules } from "../../../src/kernel/compiler/block-schedule.ts"
import type { Kernel } from "../../../src/kernel/kernel.ts"
import { createWasmKernel } from "../../../src/kernel/wasm/wasm-kernel.ts"
import type { RenderedKernel } from "../../../src/kernel/x64/program/render.ts"

const BLOCK = "400-00000000"

/** A proven kernel whose rows take the time that `msOf` gives for its schedules, and which misses a candidate if `isWrong`. */
class PacedKernel implements Kernel {
  static readonly #proven = createWasmKernel("wasm")
  readonly name = "paced"
  readonly row = PacedKernel.#proven.row
  readonly hits = PacedKernel.#proven.hits
  isClosed = false
  timed = 0

  constructor(
    readonly clock: { ms: number },
    readonly rowMs: number,
    readonly isWrong: boolean,
  ) {}

  permute = (state: BigUint64Array) => PacedKernel.#proven.permute(state)
  setTarget(top: bigint): void {
    this.#isTimed = top === 0n
    PacedKernel.#proven.setTarget(top)
  }
  preparePlane = (state: BigUint64Array) => PacedKernel.#proven.preparePlane(state)
  prepareRange = (state: BigUint64Array) => PacedKernel.#proven.prepareRange(state)
  searchRow(t0: number): number {
    this.clock.ms += this.rowMs
    // Rows that are only timed need not be searched.
    if (this.#isTimed) {
      this.timed++
      return 0
    }
    const found = PacedKernel.#proven.searchRow(t0)
    return this.isWrong ? found - 1 : found
  }
  searchRange = (first: number, count: number) => PacedKernel.#proven.searchRange(first, count)
  close(): void {
    this.isClosed = true
  }
  #isTimed = false
}

function setUp(rowMsOf: (schedules: Schedules) => number, isWrong: (schedules: Schedules) => boolean = () => false) {
  const clock = { ms: 0 }
  const kernels: PacedKernel[] = []
  let state = 1
  const search = new ScheduleSearch({
    render: schedules => ({ schedules, hotBlocks: [{ id: BLOCK, instructions: 400 }] }) as unknown as RenderedKernel,
    load: ({ schedules }) => {
      const kernel = new PacedKernel(clock, rowMsOf(schedules), isWrong(schedules))
      kernels.push(kernel)
      return kernel
    },
    start: {},
    random: () => {
      state = Math.imul(state, 1103515245) + 12345
      return (state >>> 8) / 2 ** 24
    },
    now: () => clock.ms,
  })
  return { search, kernels, clock }
}

const changesOf = (schedules: Schedules): number => Object.keys(schedules).length

test("keeps a candidate that is faster, and starts from it", () => {
  const { search, kernels } = setUp(schedules => (changesOf(schedules) > 0 ? 0.9 : 1))
  search.step()
  expect(search.progress).toMatchObject({ tried: 1, kept: 1, wrong: 0 })
  expect(search.progress.gain).toBeCloseTo(1 / 0.9)
  expect(changesOf(search.best.schedules)).toBe(1)
  expect(search.measureGain()).toBeCloseTo(1 / 0.9)
  // The next one is as fast as the best.
  search.step()
  expect(search.progress).toMatchObject({ tried: 2, kept: 1 })
  search.close()
  expect(kernels.every(({ isClosed }) => isClosed)).toBe(true)
})

test("drops a candidate that is slower or gains less than measurements vary", () => {
  const { search, kernels } = setUp(schedules => (changesOf(schedules) > 0 ? 0.9995 : 1))
  search.step()
  expect(search.progress).toMatchObject({ tried: 1, kept: 0 })
  expect(kernels[1]).toMatchObject({ isClosed: true })
  expect(search.best.schedules).toEqual({})
  expect(search.measureGain()).toBe(1)
  search.close()
})

test("never times a candidate that computes wrong results, however fast", () => {
  const { search, kernels } = setUp(
    schedules => (changesOf(schedules) > 0 ? 0.1 : 1),
    schedules => changesOf(schedules) > 0,
  )
  search.step()
  expect(search.progress).toMatchObject({ tried: 1, kept: 0, wrong: 1 })
  expect(kernels[1]).toMatchObject({ isClosed: true, timed: 0 })
  search.close()
})

test("drops a candidate that was only faster at its first address", () => {
  let copies = 0
  const { search } = setUp(schedules => (changesOf(schedules) > 0 && copies++ === 0 ? 0.9 : 1))
  search.step()
  expect(search.progress).toMatchObject({ tried: 1, kept: 0 })
  search.close()
})

test("refuses to start from a kernel that fails its self-test", () => {
  expect(() =>
    setUp(
      () => 1,
      () => true,
    ),
  ).toThrow("wrong candidates in a row")
})
