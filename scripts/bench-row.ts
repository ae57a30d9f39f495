/** The columns of the table by CPU in docs/performance.md. */
export const ROW_ENGINES = ["avx512", "avx512-limbs", "avx2", "wasm"] as const

export interface MeasuredRatios {
  readonly cpu: string | undefined
  /** `YYYY-MM-DD` */
  readonly date: string
  readonly results: readonly { readonly name: string; readonly ratio: number }[]
}

/** @returns a row of that table: the ratio of each engine, empty if it was not measured */
export function performanceRow({ cpu = "unknown CPU", date, results }: MeasuredRatios): string {
  const ratios = ROW_ENGINES.map(engine => results.find(({ name }) => name === engine)?.ratio.toFixed(2) ?? "")
  return `| ${[cpu, date, ...ratios].join(" | ")} |`
}
