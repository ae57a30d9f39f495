/** Cycles of a loop by llvm-mca, for the cores that LLVM has a model of. */
import type { Core } from "./arm64-cores.ts"
import { parseInstruction } from "./simulate.ts"

/** Debian installs versions beside each other. */
const TOOLS = ["llvm-mca-22", "llvm-mca-19", "llvm-mca"]

/** Returns the cycles that one pass takes: the slope between two numbers of passes. @throws Error if the tool fails */
export function mcaCyclesPerPass(loop: readonly string[], core: Core): number {
  if (!core.llvm) throw new Error(`LLVM has no model of ${core.title}`)
  const tool = TOOLS.map(name => Bun.which(name)).find(path => path !== null)
  if (!tool) throw new Error(`not installed: ${TOOLS[0]}`)
  const code = loop.filter(text => parseInstruction(text).kind !== "branch").join("\n")
  const { cpu, dispatch } = core.llvm
  const cyclesOf = (passes: number): number => {
    const run = Bun.spawnSync(
      [
        tool,
        "-mtriple=aarch64",
        `-mcpu=${cpu}`,
        `-iterations=${passes}`,
        `-dispatch=${dispatch}`,
        "-all-views=false",
        "-summary-view",
      ],
      { stdin: Buffer.from(`${code}\n`), stderr: "pipe" },
    )
    const total = /Total Cycles:\s+(\d+)/.exec(run.stdout.toString())
    if (!total) throw new Error(`llvm-mca: ${run.stderr.toString().slice(0, 500)}`)
    return Number(total[1])
  }
  const [few, many] = [8, 20]
  return (cyclesOf(many) - cyclesOf(few)) / (many - few)
}
