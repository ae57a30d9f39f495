/**
 * The kernel workbench.
 *
 *     npm run kernel -- digest            compares the rendered kernels with test/kernel/digests.json
 *     npm run kernel -- digest --write    writes that file
 *     npm run kernel -- dump NAME         lists a kernel's machine code, with labels
 *     npm run kernel -- count NAME        counts instructions, stores, spills and bytes by label
 *     npm run kernel -- time NAME...      times kernels in interleaved samples, each against the first
 *
 * NAME is `avx512`, `avx512-limbs` or `avx2`, with `:N` for N integer nonces a vector; `time` also takes `wasm` and
 * `wasm-narrow`. SAMPLES sets the number of samples.
 */
import { createWasmKernel } from "../src/kernel/wasm/wasm-kernel.ts"
import { type RenderTarget, renderKernel } from "../src/kernel/x64/program/render.ts"
import { renderTargetOf, VARIANTS } from "../src/kernel/x64/program/render-targets.ts"
import { loadKernel } from "../src/kernel/x64/x64-kernel.ts"
import { compareKernels } from "./kernel/compare.ts"
import { DIGESTS_FILE, type Digest, digestsOfAll } from "./kernel/digests.ts"
import { countSection, listKernel } from "./kernel/listing.ts"

const USAGE = "usage: npm run kernel -- digest [--write] | dump NAME | count NAME | time NAME..."

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

function targetOf(name: string): RenderTarget {
  const [engine, integers = "1"] = name.split(":")
  if (!(engine! in VARIANTS) || !/^\d$/.test(integers)) throw new RangeError(`no x86-64 kernel ${name}`)
  return renderTargetOf(VARIANTS[engine!]!.engine, Number(integers))
}

function dump(name: string): void {
  for (const { label, at, instructions } of listKernel(targetOf(name)).sections) {
    console.log(`${label}:  # ${at}`)
    for (const { text } of instructions) console.log(`    ${text}`)
  }
}

function count(name: string): void {
  const { sections, kernel } = listKernel(targetOf(name))
  const rows = sections.filter(({ instructions }) => instructions.length > 0)
  console.table(Object.fromEntries(rows.map(section => [section.label, countSection(section)])))
  console.log(`code ${kernel.codeBytes} bytes, constants ${kernel.code.length - kernel.codeBytes} bytes`)
}

function time(names: readonly string[]): void {
  const kernels = names.map(name =>
    name === "wasm" || name === "wasm-narrow" ? createWasmKernel(name) : loadKernel(name, renderKernel(targetOf(name))),
  )
  for (const { name, median, best, ratio } of compareKernels(kernels, Number(process.env["SAMPLES"] ?? 300))) {
    const [mega, top] = [median, best].map(rate => (rate / 1e6).toFixed(3))
    console.log(`${name.padEnd(16)} median ${mega} MH/s  best ${top} MH/s  ratio ${ratio.toFixed(4)}`)
  }
}

const [command, ...rest] = process.argv.slice(2)
if (command === "digest" && rest.every(argument => argument === "--write")) process.exit(await digest(rest.length > 0))
else if (command === "dump" && rest.length === 1) dump(rest[0]!)
else if (command === "count" && rest.length === 1) count(rest[0]!)
else if (command === "time" && rest.length > 0) time(rest)
else {
  console.error(USAGE)
  process.exit(2)
}
