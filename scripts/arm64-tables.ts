/** The tables of docs/arm64.md: counts, and predicted cycles beside the bars. */
import { type Arm64KernelName, needsSve2, RECIPES } from "../src/kernel/arm64/targets.ts"
import { markdownTable } from "./document-blocks.ts"
import { CORES } from "./kernel/arm64-cores.ts"
import { arm64Kernel, countsOf, isArm64Kernel, type Prediction, predict } from "./kernel/arm64-listing.ts"

interface Bar {
  readonly core: string
  /** The engine that should be the fastest there, for V2 with and without SVE2. */
  readonly engine: Arm64KernelName
  /** Upper bounds of its predicted cycles per nonce: the goal, and what a C compiler reaches. */
  readonly goal: number
  readonly compiler?: number
}

export const BARS: readonly Bar[] = [
  { core: "m1", engine: "arm64-mixed", goal: 2700, compiler: 2930 },
  { core: "n1", engine: "arm64-mixed-narrow", goal: 6300, compiler: 7120 },
  { core: "a76", engine: "arm64-mixed-narrow", goal: 6500, compiler: 7650 },
  { core: "v1", engine: "arm64-mixed", goal: 3500, compiler: 3830 },
  { core: "v2", engine: "arm64-mixed", goal: 3200, compiler: 3790 },
  { core: "v2", engine: "arm64-sve2", goal: 2500 },
]

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

/** Whether a core can run an engine. */
export const runs = (name: Arm64KernelName, core: string): boolean => !needsSve2(name) || CORES[core]!.hasSve2 === true

const predictions = new Map<string, Prediction>()

/** Returns the predicted cycles per nonce. */
export function predictedCycles(core: string, name: Arm64KernelName): number {
  const key = `${core} ${name}`
  if (!predictions.has(key)) predictions.set(key, predict(arm64Kernel(name), CORES[core]!))
  return predictions.get(key)!.cycles
}

/** Predicted cycles per nonce by core and engine, and the rate of the best. */
export function cyclesTable(): string {
  const rows = Object.entries(CORES).map(([core, { title, gigahertz }]) => {
    const cycles = NAMES.map(name => (runs(name, core) ? predictedCycles(core, name) : undefined))
    const best = Math.min(...cycles.filter(one => one !== undefined))
    const bars = BARS.filter(bar => bar.core === core)
    return [
      title,
      ...cycles.map(one => (one === undefined ? "" : one === best ? `**${grouped(one)}**` : grouped(one))),
      bars.map(({ goal, engine }) => `${grouped(goal)}${needsSve2(engine) ? " (SVE2)" : ""}`).join(", "),
      bars.flatMap(({ compiler }) => (compiler === undefined ? [] : [grouped(compiler)])).join(", "),
      `${((gigahertz * 1e3) / best).toFixed(2)} at ${gigahertz} GHz`,
    ]
  })
  return markdownTable(["Core", ...NAMES.map(name => `\`${name}\``), "Goal", "C compiler", "MH/s per core"], rows)
}
