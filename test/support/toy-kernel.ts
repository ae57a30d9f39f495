import { type Kernel, ROW } from "../../src/kernel/kernel.ts"

/** Sees every call, and may do what another thread would do at that moment. */
export interface ToyHooks {
  /** Before a row is tested. */
  row?(t0: number): void
  /** Before consecutive nonces are tested. */
  range?(first: number, count: number): void
  preparePlane?(state: BigUint64Array): void
  prepareRange?(state: BigUint64Array): void
}

/**
 * A kernel of a toy hash, cheap and blind to the proof of work: for all that does not depend on which nonces are
 * candidates. The hash's top word is a pseudo-random function of `seed` and of how many nonces were tested before.
 */
export class ToyKernel implements Kernel {
  readonly name = "toy"
  readonly row = ROW
  readonly hits = new Uint32Array(ROW)
  #top = 0n
  #state: number

  constructor(
    readonly hooks: ToyHooks = {},
    seed = 1,
  ) {
    this.#state = seed
  }

  /** Wrong for every state. */
  permute(): void {}

  setTarget(top: bigint): void {
    this.#top = top
  }

  preparePlane(state: BigUint64Array): void {
    this.hooks.preparePlane?.(state)
  }

  searchRow(t0: number): number {
    this.hooks.row?.(t0)
    return this.#search(ROW)
  }

  prepareRange(state: BigUint64Array): void {
    this.hooks.prepareRange?.(state)
  }

  searchRange(first: number, count: number): number {
    this.hooks.range?.(first, count)
    return this.#search(count)
  }

  close(): void {}

  #search(count: number): number {
    const limit = Number(this.#top >> 32n)
    let found = 0
    for (let i = 0; i < count; i++) if (this.#next() <= limit) this.hits[found++] = i
    return found
  }

  /** Mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
