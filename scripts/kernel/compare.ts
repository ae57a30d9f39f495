/** Times kernels against each other in interleaved short samples, so that noise of the machine meets all alike. */
import type { Kernel } from "../../src/kernel/kernel.ts"
import { planeBase, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"

export interface Timing {
  readonly name: string
  /** Nonces a second. */
  readonly median: number
  readonly best: number
  /** Median of the ratios to the first kernel, sample by sample. */
  readonly ratio: number
}

/** Rows that a sample tests: some milliseconds. */
const ROWS = 16

/**
 * @param samples of each kernel
 * @param now seconds, for tests
 */
export function compareKernels(
  kernels: readonly Kernel[],
  samples: number,
  now: () => number = () => performance.now() / 1000,
): Timing[] {
  for (const kernel of kernels) {
    kernel.setTarget(0n)
    kernel.preparePlane(
      spongeBeforeLast(new Uint8Array(32), planeBase(new Uint8Array(64)), state => kernel.permute(state)),
    )
  }
  const rates: number[][] = kernels.map(() => [])
  for (let sample = 0; sample < samples; sample++) {
    for (let i = 0; i < kernels.length; i++) {
      // Each kernel is first in turn, as the first one finds other caches than the second.
      const k = (i + sample) % kernels.length
      const kernel = kernels[k]!
      const start = now()
      for (let row = 0; row < ROWS; row++) kernel.searchRow(row)
      rates[k]!.push((ROWS * kernel.row) / (now() - start))
    }
  }
  return kernels.map(({ name }, k) => ({
    name,
    median: median(rates[k]!),
    best: Math.max(...rates[k]!),
    ratio: median(rates[k]!.map((rate, sample) => rate / rates[0]![sample]!)),
  }))
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
