/**
 * The kernel workbench.
 *
 *     npm run kernel -- digest            compares the rendered kernels with test/kernel/digests.json
 *     npm run kernel -- digest --write    writes that file
 *     npm run kernel -- dump NAME         lists a kernel's machine code, with labels
 *     npm run kernel -- count NAME        counts instructions, stores, spills and bytes by label
 *     npm run kernel -- time NAME...      times kernels in interleaved samples, each against the first
 *     npm run kernel -- starts NAME [N]   loads the code of a kernel N times (64), as a worker by itself would and as the miner
 *                                         does, and times the copies in interleaved samples
 *     npm run kernel -- cycles NAME...    predicts the cycles per nonce of arm64 kernels, by core and step
 *     npm run kernel -- mca NAME...       the same by llvm-mca, for the cores that it has models of
 *
 * NAME is `avx512`, `avx512-limbs` or `avx2`, with `:N` for N integer nonces per vector and `@CORE` for the
 * schedules found on that core (`zen4`), `scalar`, `scalar:bmi2`, or an arm64 engine; `time` takes no arm64 engine, but
 * `wasm` and `wasm-narrow`. SAMPLES sets the number of samples; PERF_MAP=1 names the code for `perf`. `cycles` and `mca` without a NAME list
 * all arm64 engines; CORE selects one core.
 */

import { writeFileSync } from "node:fs"
import { RECIPES } from "../src/kernel/arm64/targets.ts"
import { createWasmKernel } from "../src/kernel/wasm/wasm-kernel.ts"
import { renderKernel } from "../src/kernel/x64/program/render.ts"
import { loadX64Code } from "../src/kernel/x64/runtime/load-x64.ts"
import { loadKernel, shareKernel } from "../src/kernel/x64/x64-kernel.ts"
import { runs } from "./arm64-tables.ts"
import { CORES } from "./kernel/arm64-cores.ts"
import { arm64Kernel, countsByPart, countsOf, isArm64Kernel, partsOf, predict } from "./kernel/arm64-listing.ts"
import { compareKernels } from "./kernel/compare.ts"
import { DIGESTS_FILE, type Digest, digestsOfAll, x64Target } from "./kernel/digests.ts"
import { countSection, listKernel } from "./kernel/listing.ts"
import { mcaCyclesPerPass } from "./kernel/llvm-mca.ts"
import { perfMapOf } from "./kernel/perf-map.ts"

const USAGE =
  "usage: npm run kernel -- digest [--write] | dump NAME | count NAME | time NAME... | starts NAME [N] | cycles [NAME...] | mca [NAME...]"

async function digest(write: boolean): Promise<number> {
  const now = digestsOfAll()
  const before = ((await Bun.file(DIGESTS_FILE).exists()) ? await Bun.file(DIGESTS_FILE).json() : {}) as Record<
    string,
    Digest
  >
  if (write) await Bun.write(DIGESTS_FILE, `${JSON.stringify(now, undefined, 2)}\n`)
  let changed = 0
  for (const [name, { sha256, ...counts }] of Object.entries(now)) {
    const isSame = before[name]?.sha256 === sha256
    if (!isSame) changed++
    const shown = Object.entries(counts).map(([what, count]) => {
      const old = before[name]?.[what as keyof typeof counts]
      return old === undefined || old === count ? `${what} ${count}` : `${what} ${old} → ${count}`
    })
    console.log(`${isSame ? "same   " : "changed"}  ${name.padEnd(12)}  ${sha256.slice(0, 16)}  ${shown.join(", ")}`)
  }
  return changed > 0 && !write ? 1 : 0
}

function dump(name: string): void {
  if (isArm64Kernel(name)) {
    for (const { name: part, runs, code } of partsOf(arm64Kernel(name)))
      console.log(`${part}:  // ${runs} per batch\n    ${code.join("\n    ")}`)
    return
  }
  for (const { label, at, instructions } of listKernel(x64Target(name)).sections) {
    console.log(`${label}:  # ${at}`)
    for (const { text } of instructions) console.log(`    ${text}`)
  }
}

function count(name: string): void {
  if (isArm64Kernel(name)) {
    const kernel = arm64Kernel(name)
    console.table(countsByPart(kernel))
    const { instructions, spills, codeBytes } = countsOf(kernel)
    console.log(`per nonce: ${instructions} instructions, ${spills} of them spill or reload; code ${codeBytes} bytes`)
    return
  }
  const { sections, kernel } = listKernel(x64Target(name))
  const rows = sections.filter(({ instructions }) => instructions.length > 0)
  console.table(Object.fromEntries(rows.map(section => [section.label, countSection(section)])))
  console.log(`code ${kernel.codeBytes} bytes, constants ${kernel.code.length - kernel.codeBytes} bytes`)
}

function time(names: readonly string[]): void {
  let perfMap = ""
  const kernels = names.map(name => {
    if (name === "wasm" || name === "wasm-narrow") return createWasmKernel(name)
    const { kernel, sections } = listKernel(x64Target(name))
    const { address } = loadX64Code(kernel.code)
    perfMap += perfMapOf(name, sections, address)
    return loadKernel(name, { ...kernel, address })
  })
  if (process.env["PERF_MAP"]) writeFileSync(`/tmp/perf-${process.pid}.map`, perfMap)
  for (const { name, median, best, ratio } of compareKernels(kernels, Number(process.env["SAMPLES"] ?? 300))) {
    const [mega, top] = [median, best].map(rate => (rate / 1e6).toFixed(3))
    console.log(`${name.padEnd(16)} median ${mega} MH/s  best ${top} MH/s  ratio ${ratio.toFixed(4)}`)
  }
}

/** Prints predicted cycles per nonce, by engine and core, with each step's share. */
function cycles(names: readonly string[], known: readonly string[], predictor: typeof predict): void {
  const cores = process.env["CORE"]?.split(",") ?? known
  for (const core of cores)
    if (!(core in CORES)) throw new RangeError(`no core ${core}: ${Object.keys(CORES).join(", ")}`)
  for (const name of names.length > 0 ? names : Object.keys(RECIPES)) {
    if (!isArm64Kernel(name)) throw new RangeError(`no arm64 kernel ${name}`)
    const capable = cores.filter(core => runs(name, core))
    const rows = capable.map(core => {
      const { cycles, bound, parts } = predictor(arm64Kernel(name), CORES[core]!)
      const { title, gigahertz } = CORES[core]!
      const shares = Object.fromEntries(parts.map(part => [part.name, Math.round(part.cycles)]))
      return [
        title,
        {
          cycles: Math.round(cycles),
          bound: Math.round(bound),
          "MH/s": +((gigahertz * 1e3) / cycles).toFixed(2),
          ...shares,
        },
      ]
    })
    console.log(`${name}: predicted cycles per nonce, not measured`)
    console.table(Object.fromEntries(rows))
  }
}

/** The cores that LLVM has a model of. */
const MODELLED = Object.keys(CORES).filter(core => CORES[core]!.llvm)

/** Shows how much the address of the code costs: the slowest of many copies, with and without a choice among a few. */
function starts(name: string, count: number): void {
  const rendered = renderKernel(x64Target(name))
  for (const [title, load] of [
    ["any address", () => loadKernel(name, rendered)],
    ["chosen address", () => loadKernel(name, shareKernel(rendered))],
  ] as const) {
    const samples = Number(process.env["SAMPLES"] ?? 100)
    const copies = compareKernels(Array.from({ length: count }, load), samples).toSorted((a, b) => a.best - b.best)
    const [slowest, median, fastest] = [copies[0]!, copies[count >> 1]!, copies[count - 1]!]
    const below = copies.filter(({ best }) => best < 0.98 * median.best).length
    const [low, middle, high] = [slowest, median, fastest].map(({ best }) => (best / 1e6).toFixed(3))
    console.log(
      `${title.padEnd(14)}  ${count} copies: slowest ${low}, median ${middle}, fastest ${high} MH/s; ` +
        `slowest to median ${(slowest.best / median.best).toFixed(4)}; more than 2 % below the median: ${below}`,
    )
  }
}

const [command, ...rest] = process.argv.slice(2)
if (command === "digest" && rest.every(argument => argument === "--write")) process.exit(await digest(rest.length > 0))
else if (command === "dump" && rest.length === 1) dump(rest[0]!)
else if (command === "count" && rest.length === 1) count(rest[0]!)
else if (command === "cycles") cycles(rest, Object.keys(CORES), predict)
else if (command === "mca") cycles(rest, MODELLED, (kernel, core) => predict(kernel, core, mcaCyclesPerPass))
else if (command === "starts" && (rest.length === 1 || rest.length === 2)) starts(rest[0]!, Number(rest[1] ?? 64))
else if (command === "time" && rest.length > 0) time(rest)
else {
  console.error(USAGE)
  process.exit(2)
}
