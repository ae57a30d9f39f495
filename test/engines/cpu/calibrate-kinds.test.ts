import { expect, test } from "bun:test"
import type { Calibration, CalibrationCache, CalibrationKey } from "../../../src/engines/cpu/calibration-cache.ts"
import { chooseEngine } from "../../../src/engines/cpu/choose.ts"
import type { CpuEngine } from "../../../src/engines/cpu/cpu-engine.ts"
import { RefusedKernel } from "../../../src/engines/engine.ts"
import type { CoreKind } from "../../../src/host/core-kinds.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"

/** CPU 2 has no worker; its kind is measured on the others. */
const KINDS: readonly CoreKind[] = [
  { name: "P cores", cpus: [0, 1, 2] },
  { name: "E cores", cpus: [4, 5] },
]
const P = KINDS[0]!

const machine = { cpu: "A CPU", microcode: "0x1", features: [], version: "1.2.3", native: true, quota: null }

/** Hashes a second of one worker: `wide` suits P cores, `narrow` E cores. */
const SPEEDS: Readonly<Record<string, (cpu: number) => number>> = {
  wide: cpu => (P.cpus.includes(cpu) ? 2_000_000 : 300_000),
  narrow: cpu => (P.cpus.includes(cpu) ? 1_000_000 : 500_000),
  wasm: () => 100_000,
}

interface Fake {
  readonly cpus?: readonly number[]
  readonly kinds?: readonly CoreKind[]
  readonly speeds?: typeof SPEEDS
  /** Refuses to run different kernels. */
  readonly refusesMix?: boolean
  readonly known?: Calibration
  /** CPUs that the workers are moved to after the first measurement. */
  readonly moved?: readonly number[]
}

async function choose({ cpus = [0, 1, 4, 5], kinds = KINDS, speeds = SPEEDS, known, ...more }: Fake = {}) {
  const clock = new FakeClock()
  const log = collectLog()
  const loads: string[] = []
  const saved: { key: CalibrationKey; calibration: Calibration }[] = []
  const cache: CalibrationCache = {
    load: () => (known ? { kind: "valid", value: known } : { kind: "absent" }),
    save: (key, calibration) => void saved.push({ key, calibration }),
  }
  let engine: CpuEngine | undefined
  const createEngine = (name: string, workers: number, mix: ReadonlyMap<number, string> = new Map()) => {
    let [kernel, byCpu, since] = [name, mix, clock.now()]
    const units = cpus.slice(0, workers).map(cpu => ({ cpu }))
    const hashes = units.map(() => 0)
    const kernelOn = (cpu: number | undefined) => byCpu.get(cpu ?? -1) ?? kernel
    const refuse = () => {
      if (more.refusesMix && byCpu.size > 0) throw new RefusedKernel("a wrong hash", false)
    }
    const fake: Partial<CpuEngine> = {
      get kernel() {
        return kernel
      },
      isClosed: false,
      units: units as unknown as CpuEngine["units"],
      kernelOn,
      readings() {
        const ms = clock.now() - since
        since = clock.now()
        return units.map(({ cpu }, worker) => {
          hashes[worker]! += Math.round((speeds[kernelOn(cpu)]!(cpu) * ms) / 1000)
          return { worker, hashes: hashes[worker]!, busyMs: clock.now(), cpu }
        })
      },
      rehearse() {},
      async prepare() {
        refuse()
      },
      async load(next, mix = new Map()) {
        loads.push([next, ...[...mix].map(([cpu, name]) => `${cpu}:${name}`)].join(" "))
        kernel = next
        byCpu = mix
        refuse()
        for (const [i, cpu] of (more.moved ?? []).entries()) units[i]!.cpu = cpu
      },
      adopt() {},
    }
    engine = fake as CpuEngine
    return engine
  }
  const { calibrate } = await chooseEngine({
    kernels: Object.keys(speeds),
    workers: cpus.length,
    kinds,
    createEngine,
    machine,
    cache,
    clock,
    log,
  })
  let took: number | undefined
  const calibrated = calibrate?.().then(() => {
    took = clock.now()
  })
  await clock.advance(8000)
  await calibrated
  return { on: (cpu: number) => engine!.kernelOn(cpu), log, loads, saved, took }
}

const rates = (...pairs: [string, number][]) => pairs.map(([name, hashesPerSecond]) => ({ name, hashesPerSecond }))

test("each kind of core gets the kernel that is fastest there, also its CPUs without a worker", async () => {
  const { on, log, loads, saved } = await choose()
  expect([0, 1, 2, 4, 5].map(on)).toEqual(["wide", "wide", "wide", "narrow", "narrow"])
  expect(loads).toEqual(["narrow", "wasm", "wide 0:wide 1:wide 2:wide 4:narrow 5:narrow"])
  expect(log.texts).toEqual([
    "info P cores (CPUs 0-1): wide 4.00 MH/s, narrow 2.00 MH/s, wasm 0.20 MH/s on 2 workers; using wide",
    "info E cores (CPUs 4-5): narrow 1.00 MH/s, wide 0.60 MH/s, wasm 0.20 MH/s on 2 workers; using narrow",
  ])
  const [{ key, calibration } = { key: undefined, calibration: undefined }] = saved
  expect(key!.kinds).toEqual(["P cores", "E cores"])
  expect(calibration).toEqual({
    kernels: rates(["wide", 4_600_000], ["narrow", 3_000_000], ["wasm", 400_000]),
    workers: 4,
    kinds: [
      { name: "P cores", kernels: rates(["wide", 4_000_000], ["narrow", 2_000_000], ["wasm", 200_000]) },
      { name: "E cores", kernels: rates(["narrow", 1_000_000], ["wide", 600_000], ["wasm", 200_000]) },
    ],
  })
})

test("kinds are measured at the same time, so a first start takes no longer", async () => {
  const alike = await choose({ kinds: [] })
  expect((await choose()).took).toBe(alike.took!)
  expect(alike.loads).toEqual(["narrow", "wasm", "wide"])
})

test("a kernel that is close to the best of one kind is measured again", async () => {
  const speeds = { ...SPEEDS, close: (cpu: number) => SPEEDS["narrow"]!(cpu) * 0.97 }
  const { loads } = await choose({ speeds })
  expect(loads.filter(load => ["wide", "narrow", "close", "wasm"].includes(load))).toEqual([
    "narrow",
    "wasm",
    "close",
    "narrow",
    "close",
  ])
})

test("one kernel that is best everywhere is loaded once", async () => {
  const { on, loads, log } = await choose({ speeds: { wasm: SPEEDS["wasm"]!, wide: () => 1_000_000 } })
  expect([on(0), on(4), loads]).toEqual(["wide", "wide", ["wide"]])
  expect(log.texts.map(text => text.split(":")[0])).toEqual(["info P cores (CPUs 0-1)", "info E cores (CPUs 4-5)"])
})

test("workers on one kind only are measured as on a machine of alike cores", async () => {
  const { on, log, saved } = await choose({ cpus: [4, 5], kinds: [] })
  expect([on(4), log.texts]).toEqual([
    "narrow",
    ["info A CPU: narrow 1.00 MH/s, wide 0.60 MH/s, wasm 0.20 MH/s on 2 workers; using narrow"],
  ])
  expect(saved[0]!.calibration.kinds).toBeUndefined()
  expect(JSON.stringify(saved[0]!.key)).not.toContain("kinds")
})

const known: Calibration = {
  kernels: rates(["wide", 3], ["narrow", 2]),
  workers: 4,
  kinds: [
    { name: "P cores", kernels: rates(["wide", 2], ["narrow", 1]) },
    { name: "E cores", kernels: rates(["narrow", 1], ["wide", 1]) },
  ],
}

test("a later start uses the kernels of each kind without measuring", async () => {
  const { on, loads, took, log } = await choose({ known })
  expect([on(2), on(5), loads, took]).toEqual(["wide", "narrow", [], undefined])
  expect(log.texts.slice(1)).toEqual(["info P cores (CPUs 0-1): using wide", "info E cores (CPUs 4-5): using narrow"])
})

test("if different kernels are refused, all workers run the one that is best for all", async () => {
  const first = await choose({ refusesMix: true })
  expect([first.on(0), first.on(4), first.loads.at(-1), first.saved]).toEqual(["wide", "wide", "wide", []])
  const later = await choose({ refusesMix: true, known })
  expect([later.on(0), later.on(4)]).toEqual(["wide", "wide"])
  for (const { log } of [first, later])
    expect(log.texts).toContain("warn wide+narrow failed its self-test and is not used: a wrong hash")
})

test("if a kind got no CPU time, all workers run the kernel that is best for all, and nothing is stored", async () => {
  const speeds = { ...SPEEDS, wide: (cpu: number) => (P.cpus.includes(cpu) ? 2_000_000 : 0) }
  const { on, saved, log } = await choose({ speeds })
  expect([on(0), on(4), saved]).toEqual(["wide", "wide", []])
  expect(log.texts.at(-1)).toBe("warn this machine is too busy to measure all kernels: the next start measures again")
})

test("workers that leave their kind during the measurement do not end it", async () => {
  const { on, saved } = await choose({ moved: [0, 1, 0, 1] })
  expect([on(0), saved]).toEqual(["wide", []])
})
