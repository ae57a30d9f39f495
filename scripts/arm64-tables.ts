/** The tables of docs/arm64.md: counts, and predicted cycles beside the bars. */
import { RECIPES } from "../src/kernel/arm64/targets.ts"
import { markdownTable } from "./document-blocks.ts"
import { CORES } from "./kernel/arm64-cores.ts"
import { arm64Kernel, countsOf, isArm64Kernel, type Prediction, predict } from "./kernel/arm64-listing.ts"

/** Upper bounds of the best engine's predicted cycles per nonce: the goal, and what a C compiler reaches. */
export const BARS: Readonly<Record<string, { readonly goal: number; readonly compiler: number }>> = {
  m1: { goal: 2700, compiler: 2930 },
  n1: { goal: 6300, compiler: 7120 },
  a76: { goal: 6500, compiler: 7650 },
  v1: { goal: 3500, compiler: 3830 },
  v2: { goal: 3200, compiler: 3790 },
}

const NAMES = Object.keys(RECIPES).filter(isArm64Kernel).toReversed()

const grouped = (n: number): string => Math.round(n).toLocaleString("en-US")

/** Instructions, spills and code size by engine. */
export function countsTable(): string {
  const rows = NAMES.map(name => {
    const kernel = arm64Kernel(name)
    const { instructions, spills, codeBytes } = countsOf(kernel)
    return [`\`${name}\``, kernel.lanes, grouped(instructions), grouped(spills), grouped(codeBytes)].map(String)
  })
  return markdownTable(
    ["Engine", "Nonces at once", "Instructions per nonce", "Spills and reloads", "Code, bytes"],
    rows,
  )
}

let predictions: Map<string, Prediction> | undefined

/** Returns the predictions by core and engine. */
export function predictAll(): ReadonlyMap<string, Prediction> {
  predictions ??= new Map(
    Object.entries(CORES).flatMap(([core, model]) =>
      NAMES.map((name): [string, Prediction] => [`${core} ${name}`, predict(arm64Kernel(name), model)]),
    ),
  )
  return predictions
}

/** Predicted cycles per nonce by core and engine, and the rate of the best. */
export function cyclesTable(): string {
  const rows = Object.entries(CORES).map(([core, { title, gigahertz }]) => {
    const cycles = NAMES.map(name => predictAll().get(`${core} ${name}`)!.cycles)
    const best = Math.min(...cycles)
    return [
      title,
      ...cycles.map(one => (one === best ? `**${grouped(one)}**` : grouped(one))),
      core in BARS ? grouped(BARS[core]!.goal) : "",
      core in BARS ? grouped(BARS[core]!.compiler) : "",
      `${((gigahertz * 1e3) / best).toFixed(2)} at ${gigahertz} GHz`,
    ]
  })
  return markdownTable(["Core", ...NAMES.map(name => `\`${name}\``), "Goal", "C compiler", "MH/s per core"], rows)
}
