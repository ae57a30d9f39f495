/**
 * Prints the tables of `docs/gpu.md`: instruction counts of the search kernel as `ptxas` compiles it for several
 * architectures, and the upper bounds of the hash rate that follow.
 *
 *     PTXAS=…/ptxas NVDISASM=…/nvdisasm bun scripts/gpu-counts.ts
 */
import type { PtxOptions } from "../src/kernel/ptx/ptx-program.ts"
import { assemble, type Counts, tools } from "./sass.ts"

const ARCHITECTURES = ["sm_75", "sm_80", "sm_89", "sm_90", "sm_100", "sm_120"]
const BUILDS: readonly PtxOptions[] = [
  { groupSize: 128, form: "pairs", registers: 76, rolled: true },
  { groupSize: 128, form: "pairs", registers: 76 },
  { groupSize: 128, form: "pairs", registers: 168, rolled: true },
  { groupSize: 128, form: "pairs", registers: 168 },
  { groupSize: 128, form: "multiplier", registers: 128, rolled: true },
  { groupSize: 128, form: "multiplier", registers: 128 },
  { groupSize: 128, form: "words", registers: 128 },
]

/** Number of multiprocessors, and the highest clock that the vendor states, in Hz. */
const CARDS = [
  { name: "H200 (SXM)", architecture: "sm_90", multiprocessors: 132, clock: 1.98e9 },
  { name: "RTX 4090", architecture: "sm_89", multiprocessors: 128, clock: 2.52e9 },
  { name: "RTX 5090", architecture: "sm_120", multiprocessors: 170, clock: 2.41e9 },
]

/** Lanes that each pipe of a multiprocessor serves per clock, and lanes for which it issues. */
const LANES = 64
const ISSUE = 128

const { ptxas } = tools
if (ptxas === undefined || tools.nvdisasm === undefined) {
  console.error("gpu-counts: needs ptxas and nvdisasm, on the path or by $PTXAS and $NVDISASM")
  process.exit(1)
}

console.log(
  "| Architecture | Form, limit | Registers | Spilled bytes | Code | Wide | Other multiply-add | Logic | Other | All |",
)
console.log("|---|---|---|---|---|---|---|---|---|---|")
for (const architecture of ARCHITECTURES) {
  for (const build of BUILDS) {
    try {
      const { counts, spilled, bytes, registers: used } = assemble(ptxas, build, architecture)
      const { wide, multiplyAdd, logic, other } = counts!
      const cells = [architecture, nameOf(build), used, spilled, `${Math.round(bytes / 1024)} KiB`]
      console.log(`| ${[...cells, wide, multiplyAdd, logic, other, wide + multiplyAdd + logic + other].join(" | ")} |`)
    } catch (error) {
      console.log(`| ${architecture} | ${nameOf(build)} | ${(error as Error).message.split("\n")[0]} |`)
    }
  }
}

console.log("\n| Card | Form, limit | Multiply-add pipe | Logic pipe | Issue | Bound |\n|---|---|---|---|---|---|")
for (const { name, architecture, multiprocessors, clock } of CARDS) {
  for (const build of BUILDS) {
    const { counts } = assemble(ptxas, build, architecture)
    const cycles = cyclesOf(counts!)
    const rate = (multiprocessors * clock) / Math.max(...cycles)
    const cells = [name, nameOf(build), ...cycles.map(c => c.toFixed(1)), `${(rate / 1e9).toFixed(2)} GH/s`]
    console.log(`| ${cells.join(" | ")} |`)
  }
}

function nameOf({ form, registers, rolled }: PtxOptions): string {
  return `${form}, ${registers}${rolled ? ", rolled" : ""}`
}

/** Clocks of one multiprocessor per nonce for each limit. A wide product occupies the multiply-add pipe twice. */
function cyclesOf({ wide, multiplyAdd, logic, other }: Counts): [number, number, number] {
  return [(2 * wide + multiplyAdd) / LANES, logic / LANES, (wide + multiplyAdd + logic + other) / ISSUE]
}
