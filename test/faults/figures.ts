/** Measured figures, printed where a reader of the log looks for them. */
export function figure(promise: string, measured: string): void {
  console.log(`figure: ${promise} => ${measured}`)
}

/** `p50 1.2 ms, p99 3.4 ms, most 5.6 ms` */
export function distribution(milliseconds: readonly number[]): string {
  return `p50 ${at(milliseconds, 0.5)} ms, p99 ${at(milliseconds, 0.99)} ms, most ${at(milliseconds, 1)} ms (${milliseconds.length} samples)`
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!
}

const at = (values: readonly number[], q: number): string => quantile(values, q).toFixed(2)
