/**
 * Prints the tables of `docs/gpu.md` for AMD: instruction counts of the search kernel as LLVM compiles it for several
 * architectures, and the upper bounds of the hash rate that follow.
 *
 *     CLANG=…/clang-22 bun scripts/amd-counts.ts
 */
import { clang, compileGcn, type GcnCounts, LLVM, llvmVersion } from "./gcn.ts"

const ARCHITECTURES = ["gfx906", "gfx90a", "gfx1030", "gfx1100", "gfx1200"]

/** Number of compute units, and the highest clock that the vendor states, in Hz. */
const CARDS = [
  { name: "RX 6800", architecture: "gfx1030", computeUnits: 60, clock: 2.105e9 },
  { name: "RX 7900 XT", architecture: "gfx1100", computeUnits: 84, clock: 2.4e9 },
  { name: "MI210", architecture: "gfx90a", computeUnits: 104, clock: 1.7e9 },
]

/** Lanes for which a compute unit issues per clock, and the issues that a product takes. */
const LANES = 64
const PRODUCT = 4

if (clang === undefined) {
  console.error(`amd-counts: needs clang-${LLVM}, on the path or by $CLANG`)
  process.exit(1)
}
console.log(`LLVM ${llvmVersion(clang)}\n`)
console.log(
  "| Architecture | Rounds | Vector | Wide | Other products | Vector registers | Waves | Scratch | Code | Clocks |",
)
console.log("|---|---|---|---|---|---|---|---|---|---|")
const clocks = new Map<string, number>()
for (const architecture of ARCHITECTURES) {
  for (const rolled of [true, false]) {
    const { counts, vectorRegisters, waves, scratch, bytes } = compileGcn(clang, { rolled }, architecture)
    const { vector, wide, half } = counts
    const name = rolled ? "rolled" : "in a row"
    clocks.set(`${architecture} ${name}`, clocksOf(counts))
    const cells = [vector, wide, half, vectorRegisters, waves, scratch, `${Math.round(bytes / 1024)} KiB`]
    console.log(`| ${[architecture, name, ...cells, clocksOf(counts).toFixed(0)].join(" | ")} |`)
  }
}

console.log("\n| Card | Rolled | In a row |\n|---|---|---|")
for (const { name, architecture, computeUnits, clock } of CARDS) {
  const bounds = ["rolled", "in a row"].map(rounds => {
    const rate = (computeUnits * clock) / clocks.get(`${architecture} ${rounds}`)!
    return `${(rate / 1e6).toFixed(0)} MH/s`
  })
  console.log(`| ${[name, ...bounds].join(" | ")} |`)
}

/** Clocks of one compute unit per nonce. Products have a quarter of the rate, 64-bit shifts half of it. */
function clocksOf({ vector, wide, half, shifts }: GcnCounts): number {
  return (vector + (PRODUCT - 1) * (wide + half) + shifts) / LANES
}
