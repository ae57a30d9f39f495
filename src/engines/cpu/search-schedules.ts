/**
 * Searches for faster orders of a kernel's instructions on the machine that runs them: changes one block's schedule at a
 * time, proves the kernel, times it interleaved with the best so far, and keeps it if it is faster.
 */
import type { BlockSchedule, Schedules, UrgencyShift } from "../../kernel/compiler/block-schedule.ts"
import type { Kernel } from "../../kernel/kernel.ts"
import { planeBase, spongeBeforeLast } from "../../kernel/nonce-plane.ts"
import type { RenderedKernel } from "../../kernel/x64/program/render.ts"
import { selfTest } from "../self-test.ts"

export interface SearchSchedulesOptions {
  /** Renders the kernel with these schedules. */
  readonly render: (schedules: Schedules) => RenderedKernel
  readonly load: (rendered: RenderedKernel) => Kernel
  /** Where the search starts. */
  readonly start: Schedules
  /** @returns a number from 0 to 1 */
  readonly random: () => number
  /** Milliseconds. */
  readonly now: () => number
}

export interface SearchProgress {
  readonly tried: number
  readonly kept: number
  /** Candidates that computed wrong results. */
  readonly wrong: number
  /** Product of the gains that were kept: an optimistic estimate. */
  readonly gain: number
}

/** Blocks with fewer instructions than this are left alone. */
const MIN_INSTRUCTIONS = 150

/** Rows per sample: some tenths of a millisecond, so that an interruption spoils few samples. */
const ROWS = 2

/**
 * Samples of each kernel in three comparisons, and the ratio of speeds that the candidate must exceed in each. The first
 * ones are looser, because few samples are less exact.
 */
const COMPARISONS = [
  [12, 1.0005],
  [40, 1.0005],
  [120, 1.001],
] as const

/** Further copies of the code with which a gain is confirmed. */
const CONFIRMATIONS = 3
const CONFIRMATION_SAMPLES = 100

/** A candidate is kept if its further copies exceed this ratio of speeds in the median. */
const KEEP = 1.001

/** The share of samples that are faster than the one compared: other load only slows samples down. */
const QUANTILE = 0.15

/** Samples of each kernel when the gain is measured. */
const GAIN_SAMPLES = 400

interface Contender {
  readonly schedules: Schedules
  readonly rendered: RenderedKernel
  readonly kernel: Kernel
}

export class ScheduleSearch {
  readonly #options: SearchSchedulesOptions
  readonly #start: Contender
  readonly #hits: string
  readonly #blocks: RenderedKernel["hotBlocks"]
  #best: Contender
  #tried = 0
  #kept = 0
  #wrong = 0
  #gain = 1
  #row = 0

  /** @throws Error if the kernel fails its self-test */
  constructor(options: SearchSchedulesOptions) {
    this.#options = options
    this.#start = this.#contender(options.start)
    const wrong = selfTest(this.#start.kernel)
    if (wrong) throw new Error(wrong)
    this.#hits = hitsOf(this.#start.kernel)
    this.#best = this.#start
    this.#blocks = this.#start.rendered.hotBlocks.filter(({ instructions }) => instructions >= MIN_INSTRUCTIONS)
  }

  get progress(): SearchProgress {
    return { tried: this.#tried, kept: this.#kept, wrong: this.#wrong, gain: this.#gain }
  }

  /** The fastest so far. */
  get best(): { readonly schedules: Schedules; readonly rendered: RenderedKernel } {
    return this.#best
  }

  /** Tries one candidate. */
  step(): void {
    const { id, instructions } = this.#pick(this.#blocks)
    const changes = this.#mutated(this.#best.schedules[id] ?? {}, instructions)
    const candidate = this.#contender({ ...this.#best.schedules, [id]: changes })
    this.#tried++
    if (!this.#isRight(candidate)) {
      this.#wrong++
      candidate.kernel.close()
      return
    }
    const ratio = this.#isFaster(candidate) ? this.#confirm(candidate) : 0
    // Everything that a worker uses is tested before the candidate replaces the best.
    if (ratio <= KEEP || selfTest(candidate.kernel) !== undefined) {
      candidate.kernel.close()
      return
    }
    this.#kept++
    this.#gain *= ratio
    prepare(candidate.kernel)
    if (this.#best !== this.#start) this.#best.kernel.close()
    this.#best = candidate
  }

  #isFaster(candidate: Contender): boolean {
    return COMPARISONS.every(([samples, ratio]) => this.#compare(candidate, this.#best, samples) > ratio)
  }

  /**
   * Compares further copies of both, because the address of the code matters as well.
   * @returns the median ratio of speeds
   */
  #confirm(candidate: Contender): number {
    const ratios: number[] = []
    for (let copy = 0; copy < CONFIRMATIONS; copy++) {
      const [again, best] = [candidate, this.#best].map(({ schedules }) => this.#contender(schedules))
      prepare(again!.kernel)
      prepare(best!.kernel)
      ratios.push(this.#compare(again!, best!, CONFIRMATION_SAMPLES))
      again!.kernel.close()
      best!.kernel.close()
    }
    return quantile(ratios, 0.5)
  }

  /** Measures the best against the start anew. @returns the ratio of speeds; 1 if nothing was found */
  measureGain(): number {
    if (this.#best === this.#start) return 1
    return this.#compare(this.#best, this.#start, GAIN_SAMPLES)
  }

  close(): void {
    if (this.#best !== this.#start) this.#best.kernel.close()
    this.#start.kernel.close()
  }

  #contender(schedules: Schedules): Contender {
    const rendered = this.#options.render(schedules)
    const kernel = this.#options.load(rendered)
    return { schedules, rendered, kernel }
  }

  /** Whether a candidate finds the nonces that the proven kernel finds, in a row and in a range. */
  #isRight({ kernel }: Contender): boolean {
    return hitsOf(kernel) === this.#hits
  }

  /** @returns the speed of the candidate in units of the other's */
  #compare(candidate: Contender, other: Contender, samples: number): number {
    const [own, others]: [number[], number[]] = [[], []]
    for (let i = 0; i < samples; i++) {
      const isFirst = i % 2 === 0
      if (isFirst) own.push(this.#sample(candidate))
      others.push(this.#sample(other))
      if (!isFirst) own.push(this.#sample(candidate))
    }
    return quantile(others, QUANTILE) / quantile(own, QUANTILE)
  }

  #sample({ kernel }: Contender): number {
    const begin = this.#options.now()
    for (let i = 0; i < ROWS; i++) kernel.searchRow(this.#row++ & 0xffff)
    return this.#options.now() - begin
  }

  #mutated(old: BlockSchedule, instructions: number): BlockSchedule {
    const kind = this.#options.random()
    if (kind < 0.06) return { ...old, later: this.#pick([0.05, 0.1, 0.12, 0.15, 0.18, 0.2, 0.25, 0.3]) }
    if (kind < 0.12) return { ...old, window: this.#pick([80, 110, 130, 150, 170, 200, 250, 300]) }
    if (kind < 0.18) return { ...old, pressure: this.#pick([-6, -4, -3, -2, -1, 0, 1, 2]) }
    const { shifts = [] } = old
    // Sometimes without one that was useful before others were found.
    if (kind < 0.24 && shifts.length > 0) {
      const dropped = this.#pick(shifts)
      return { ...old, shifts: shifts.filter(shift => shift !== dropped) }
    }
    return { ...old, shifts: [...shifts, this.#shift(instructions)] }
  }

  #shift(instructions: number): UrgencyShift {
    const count = Math.min(instructions, this.#pick([2, 5, 12, 30, 80, 200, 2000]))
    const from = Math.floor(this.#options.random() * (instructions - count + 1))
    const amount = this.#pick([0.5, 1, 2, 4, 8, 16])
    if (this.#options.random() < 0.3) return [from, count, this.#pick([-amount, amount]), 0]
    return [from, count, amount, 1 + Math.floor(this.#options.random() * 1e6)]
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#options.random() * values.length)]!
  }
}

const HEADER = new Uint8Array(32).fill(0x5a)

function prepare(kernel: Kernel): void {
  const base = planeBase(new Uint8Array(64).fill(0xa5))
  kernel.setTarget(0n)
  kernel.preparePlane(spongeBeforeLast(HEADER, base, state => kernel.permute(state)))
}

/** The candidates among some nonces of a range and of a plane, half of which meet the target; then prepares for timing. */
function hitsOf(kernel: Kernel): string {
  const found = (count: number) => kernel.hits.subarray(0, count).join()
  kernel.setTarget(2n ** 63n)
  kernel.prepareRange(spongeBeforeLast(HEADER, new Uint8Array(64), state => kernel.permute(state)))
  const hits = [found(kernel.searchRange(7, 64))]
  prepare(kernel)
  kernel.setTarget(2n ** 63n)
  for (let t0 = 0; t0 < 4; t0++) hits.push(found(kernel.searchRow(t0)))
  kernel.setTarget(0n)
  return hits.join(";")
}

function quantile(values: readonly number[], fraction: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * fraction)]!
}
