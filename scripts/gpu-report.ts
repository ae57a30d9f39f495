/**
 * The report about a card that `npm run test:gpu` prints and stores: what its pipes and its instruction cache give, and
 * every build, right or wrong, with its rate, registers, power and share of the computed bound. `docs/gpu.md` says how to
 * send it in.
 */
import type { Compute } from "../src/engines/gpu/compute.ts"
import type { GpuDevice } from "../src/engines/gpu/device.ts"
import type { Build } from "../src/engines/gpu/open-device.ts"
import { nameOfBuild, type Tried } from "../src/engines/gpu/tuning.ts"
import type { SensorReading } from "../src/host/sensor-source.ts"

export interface GpuReport {
  readonly device: Pick<GpuDevice, "api" | "name" | "architecture" | "computeUnits" | "memory" | "driver">
  /** Lanes per clock and compute unit, by kind of instruction; null without CUDA. */
  readonly pipes: Readonly<Record<Pipe, number>> | null
  /** Lanes per clock and compute unit of straight code, by its size; null without CUDA. */
  readonly cache: readonly { readonly kib: number; readonly lanes: number }[] | null
  /** The largest of these sizes before the lanes fall; null without CUDA. */
  readonly cacheKneeKib: number | null
  readonly builds: readonly BuildReport[]
}

export interface BuildReport {
  readonly build: string
  readonly outcome: Tried["kind"]
  readonly why: string | null
  readonly hashesPerSecond: number | null
  readonly groups: number | null
  readonly registers: number | null
  readonly watts: number | null
  readonly clockHertz: number | null
  /** Rate ÷ the bound of `docs/gpu.md` at the clock that was read; null if clock or bound is unknown. */
  readonly shareOfBound: number | null
}

export interface ReportAccess {
  readonly builds: readonly Build[]
  readonly tryBuild: (build: Build) => Promise<Tried<SensorReading | undefined>>
  /** Opens a program with one kernel, `pipe`; undefined without CUDA. */
  readonly openPtx: ((ptx: string) => Compute) | undefined
  readonly log: (line: string) => void
}

/** Instructions of a step, on words %r0 … %r15; `i` counts steps. */
const PIPES = {
  wideMultiplyAdd: (i: number) => {
    const [low, high] = [2 * (i % 8), 2 * (i % 8) + 1]
    return [`mad.lo.cc.u32 %r${low}, %r${high}, %x, %r${low}`, `madc.hi.u32 %r${high}, %r${high}, %x, %r${high}`]
  },
  addWithCarry: (i: number) => {
    const [low, high] = [2 * (i % 8), 2 * (i % 8) + 1]
    // Other registers than the last time: two additions of the same word would become one.
    const [a, b] = [(low + 3 + 2 * Math.floor(i / 8)) % 16, (high + 5 + 2 * Math.floor(i / 8)) % 16]
    return [`add.cc.u32 %r${low}, %r${low}, %r${a}`, `addc.u32 %r${high}, %r${high}, %r${b}`]
  },
  logic: (i: number) => [`lop3.b32 %r${i % 16}, %r${i % 16}, %x, %y, 0x96`],
} as const

type Pipe = keyof typeof PIPES

/** Machine instructions of a step. */
const INSTRUCTIONS: Readonly<Record<Pipe, number>> = { wideMultiplyAdd: 1, addWithCarry: 2, logic: 1 }

/** One wide multiply-add and three logic instructions: 64 bytes of machine code. */
const MIXED_BYTES = 64
const mixed = (i: number) => [
  ...PIPES.wideMultiplyAdd(i),
  ...[0, 1, 2].map(j => `lop3.b32 %r${16 + ((3 * i + j) % 8)}, %r${16 + ((3 * i + j) % 8)}, %x, %y, 0x96`),
]

const CACHE_KIB = [8, 16, 24, 28, 32, 40, 48, 64, 80, 96, 128]

/** Threads of the only group of a multiprocessor. */
const THREADS = 1024

/** Instructions that one thread executes in a measurement. */
const EXECUTED = 200_000

/** Clocks of a multiprocessor per nonce, from the tables of `docs/gpu.md`: architectures before sm_120, and from it on. */
const CLOCKS = { pairs: [216, 319], words: [244, 298], multiplier: [257, 219] } as const

/** Renders a program whose kernel `pipe` times `repeats` rounds of straight code and stores the clocks of each group. */
export function pipeProgram(steps: number, step: (i: number) => readonly string[]): string {
  const registers = Array.from({ length: 24 }, (_, i) => i)
  const body = Array.from({ length: steps }, (_, i) => step(i)).flat()
  const lines = [
    "ld.param.b64 %out, [out]",
    "ld.param.b32 %n, [repeats]",
    "mov.u32 %x, %tid.x",
    "mad.lo.u32 %y, %x, 5, %n",
    ...registers.map(i => `mad.lo.u32 %r${i}, %x, ${2 * i + 3}, %y`),
    "bar.sync 0",
    "mov.u64 %start, %clock64",
  ]
  const end = [
    "sub.u32 %n, %n, 1",
    "setp.ne.u32 %more, %n, 0",
    "@%more bra AGAIN",
    "mov.u64 %clocks, %clock64",
    "sub.u64 %clocks, %clocks, %start",
    ...registers.slice(1).map(i => `xor.b32 %r0, %r0, %r${i}`),
    "mov.u32 %x, %ctaid.x",
    "mad.wide.u32 %out, %x, 16, %out",
    "st.global.b64 [%out], %clocks",
    "st.global.b32 [%out+8], %r0",
    "ret",
  ]
  const text = (list: readonly string[]) => list.map(line => `  ${line};`).join("\n")
  return `.version 6.0
.target sm_50
.address_size 64
.visible .entry pipe(
  .param .b64 out,
  .param .b32 repeats
)
.maxntid ${THREADS}, 1, 1
{
  .reg .b32 %r<24>, %x, %y, %n;
  .reg .b64 %out, %start, %clocks;
  .reg .pred %more;
${text(lines)}
AGAIN:
${text(body)}
${text(end)}
}
`
}

/** Measures a device. */
export async function reportOn(device: GpuDevice, access: ReportAccess): Promise<GpuReport> {
  const { builds, tryBuild, openPtx, log } = access
  const { api, name, architecture, computeUnits, memory, driver } = device
  const lanes = (steps: number, instructions: number, step: (i: number) => readonly string[]) =>
    lanesOf(openPtx!(pipeProgram(steps, step)), computeUnits, steps * instructions)
  const pipes = openPtx && {
    wideMultiplyAdd: lanes(256, INSTRUCTIONS.wideMultiplyAdd, PIPES.wideMultiplyAdd),
    addWithCarry: lanes(128, INSTRUCTIONS.addWithCarry, PIPES.addWithCarry),
    logic: lanes(256, INSTRUCTIONS.logic, PIPES.logic),
  }
  const cache = openPtx && CACHE_KIB.map(kib => ({ kib, lanes: lanes((1024 * kib) / MIXED_BYTES, 4, mixed) }))
  const reports: BuildReport[] = []
  for (const build of builds) {
    const report = reportOnBuild(device, build, await tryBuild(build))
    reports.push(report)
    log(`${name}: ${rowOf(report).join(", ")}`)
  }
  return {
    device: { api, name, architecture, computeUnits, memory, driver },
    pipes: pipes ?? null,
    cache: cache ?? null,
    cacheKneeKib: cache ? kneeOf(cache) : null,
    builds: reports,
  }
}

/** Code counts as cached while it reaches this share of the lanes of the shortest code. */
const CACHED = 0.95

function kneeOf(cache: NonNullable<GpuReport["cache"]>): number {
  const first = cache.findIndex(({ lanes }) => lanes < CACHED * cache[0]!.lanes)
  return cache.at(first < 0 ? -1 : first - 1)!.kib
}

function reportOnBuild(device: GpuDevice, build: Build, tried: Tried<SensorReading | undefined>): BuildReport {
  const nothing = { hashesPerSecond: null, groups: null, registers: null, watts: null, clockHertz: null }
  const base = { build: nameOfBuild(build), outcome: tried.kind }
  if (tried.kind !== "right") return { ...base, ...nothing, why: tried.why, shareOfBound: null }
  const { powerWatts = null, clockHertz = null } = tried.reading ?? {}
  const { layout, hashesPerSecond } = tried.tuning
  const bound = clockHertz === null ? undefined : boundOf(device, build, clockHertz)
  return {
    ...base,
    why: null,
    hashesPerSecond,
    groups: layout.groups,
    registers: tried.registers ?? null,
    watts: powerWatts,
    clockHertz,
    shareOfBound: bound === undefined ? null : hashesPerSecond / bound,
  }
}

/** Nonces per second at a clock; undefined without counts for the device. */
function boundOf({ api, architecture, computeUnits }: GpuDevice, { form }: Build, clock: number): number | undefined {
  if (api !== "cuda" || form === undefined) return undefined
  const [before, from] = CLOCKS[form]
  const isNew = Number(/^sm_(\d+)/.exec(architecture)?.[1]) >= 120
  return (computeUnits * clock) / (isNew ? from : before)
}

/** Runs a pipe program on every multiprocessor. @returns lanes per clock of the slowest one */
function lanesOf(compute: Compute, groups: number, instructions: number): number {
  try {
    const out = compute.allocate(16 * groups)
    const repeats = Math.max(2, Math.round(EXECUTED / instructions))
    // The first launch fills the caches and raises the clocks.
    for (let i = 0; i < 2; i++) {
      compute.launch(0, "pipe", groups, THREADS, [{ memory: out }, { u32: repeats }])
      compute.wait(compute.fence(0))
    }
    const words = new BigUint64Array(2 * groups)
    compute.read(out, new Uint8Array(words.buffer))
    const clocks = Math.max(...[...words].filter((_, i) => i % 2 === 0).map(Number))
    return (THREADS * repeats * instructions) / clocks
  } finally {
    compute.close()
  }
}

/** The report as tables. */
export function tableOf({ device, pipes, cache, cacheKneeKib, builds }: GpuReport): string {
  const { name, architecture, computeUnits, driver } = device
  const lines = [`${name}, ${architecture}, ${computeUnits} units, ${driver}`]
  const list = (of: readonly (readonly [string, number])[]) =>
    of.map(([what, n]) => `${what} ${n.toFixed(1)}`).join(", ")
  if (pipes) lines.push(`lanes per clock and unit: ${list(Object.entries(pipes))}`)
  if (cache) {
    const sizes = list(cache.map(({ kib, lanes }) => [`${kib}:`, lanes] as const))
    lines.push(`by KiB of straight code: ${sizes}; they fall after ${cacheKneeKib} KiB`)
  }
  lines.push("", "| Build | Outcome | MH/s | Groups | Registers | W | Of the bound |", "|---|---|---|---|---|---|---|")
  lines.push(...builds.map(build => `| ${rowOf(build).join(" | ")} |`))
  return lines.join("\n")
}

function rowOf({
  build,
  outcome,
  why,
  hashesPerSecond,
  groups,
  registers,
  watts,
  shareOfBound,
}: BuildReport): string[] {
  const number = (value: number | null, digits: number) => (value === null ? "–" : value.toFixed(digits))
  const rate = hashesPerSecond === null ? null : hashesPerSecond / 1e6
  const share = shareOfBound === null ? "–" : `${(100 * shareOfBound).toFixed(0)} %`
  const cells = [number(rate, 1), number(groups, 0), number(registers, 0), number(watts, 0), share]
  return [build, why === null ? outcome : `${outcome}: ${why}`, ...cells]
}
