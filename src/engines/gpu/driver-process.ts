/** Lists and tunes GPUs in a child process, so that a driver that hangs or crashes costs its GPUs only. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { Clock } from "../../clock.ts"
import { type ChildEnd, runChild } from "../../host/child-task.ts"
import { CUDA_LIBRARY } from "./cuda/api.ts"
import type { GpuApi, GpuDevice } from "./device.ts"
import type { DriverOrder, DriverReport, TriedBuild, TuningReport } from "./driver-child.ts"
import { combine, type FoundDevices, type Listing } from "./find-devices.ts"
import { libraryNames } from "./library.ts"
import type { Build } from "./open-device.ts"
import { OPENCL_LIBRARY } from "./opencl/api.ts"
import { buildsFor, fastest, nameOfBuild, type Start, type Tuning } from "./tuning.ts"

/** Time for a driver to list its devices, and to compile and test one build. */
const TIMEOUT_MS = 30_000

/** Time to tune a device. The build that is compiled or measured then is abandoned. */
const TUNING_MS = 60_000

/** Time for one build when all are tried. */
const TRY_MS = 120_000

/** @param run tests may replace it @param timeoutMs tests may replace it */
export interface DriverOptions {
  readonly clock: Clock
  readonly run?: typeof runChild
  readonly timeoutMs?: number
}

/** Lists the devices of all drivers, each in a child process. A driver that hangs or crashes is one of the failures. */
export async function findDevicesApart(options: DriverOptions): Promise<FoundDevices> {
  const [cuda, opencl] = await Promise.all([listApart("cuda", options), listApart("opencl", options)])
  return combine(cuda!, opencl!)
}

async function listApart(api: GpuApi, options: DriverOptions): Promise<Listing> {
  let listing: Listing | undefined
  let step = "while its devices were listed"
  const end = await run({ kind: "list", api }, options, report => {
    if (report.kind === "listed") listing = report.listing
    if (report.kind === "step") step = report.what
  })
  const problem = problemOf(end, api, step, options)
  return problem === undefined ? listing! : { devices: [], missing: problem, isFailure: true }
}

/** What a device can be opened with, or why its driver cannot be used. */
export type Tuned = Start | { readonly kind: "unusable"; readonly why: string }

export interface TuneOptions extends DriverOptions {
  /** Receives a sentence about each step. */
  readonly progress?: (what: string) => void
}

/**
 * Tunes a device in a child process, which is killed after `TUNING_MS`: the fastest build measured until then is
 * returned, or a build that is not measured. A driver that answers nothing for `TIMEOUT_MS` before any build works counts
 * as hung. An error that it reports is left to the miner's own attempt.
 */
export async function tuneApart(device: GpuDevice, options: TuneOptions): Promise<Tuned> {
  const { clock, progress = () => {} } = options
  const begin = clock.now()
  const state = new TuningState(device, progress)
  const limit = new AbortController()
  const cancel = clock.after(TUNING_MS, () => limit.abort())
  const order = { kind: "try", device, builds: buildsFor(device), readsPower: false } as const
  const end = await run(order, options, report => state.receive(report as TuningReport), limit.signal)
  cancel()
  const isStopped = end.kind === "stopped" || (end.kind === "hung" && state.proved !== undefined)
  const problem = isStopped ? undefined : problemOf(end, device.api, state.step, options, device.platform)
  if (problem !== undefined) return { kind: "unusable", why: problem }
  if (isStopped) progress(state.stopped((clock.now() - begin) / 1000))
  return state.start()
}

/** What a child has reported about a tuning. */
class TuningState {
  /** The first build that works. */
  proved: Build | undefined
  step: string
  #begun = 0
  readonly #name: string
  readonly #progress: (what: string) => void
  readonly #builds: readonly Build[]
  readonly #tunings: Tuning[] = []

  constructor(device: GpuDevice, progress: (what: string) => void) {
    this.step = `while it was opened for ${device.name}`
    this.#name = device.name
    this.#progress = progress
    this.#builds = buildsFor(device)
  }

  receive(report: TuningReport): void {
    const name = nameOfBuild(report.build)
    if (report.kind === "tried") {
      const { outcome } = report
      if (outcome.kind === "right") this.#tunings.push(outcome.tuning)
      else this.#progress(`${name} cannot be used: ${outcome.why}`)
    } else if (report.kind === "proved") this.proved ??= report.build
    else {
      const place = `build ${++this.#begun}`
      this.step = `while ${place} was compiled and tested for ${this.#name}`
      this.#progress(`measuring ${place} of ${this.#builds.length}: ${name}`)
    }
  }

  stopped(seconds: number): string {
    const measured = `stopped after ${seconds.toFixed(0)} s: ${this.#tunings.length} of ${this.#builds.length} builds measured`
    return `${measured}; "quantus-miner tune --gpu" measures every build`
  }

  start(): Start {
    if (this.#tunings.length === 0) {
      const build = this.proved ?? this.#builds[0]!
      this.#progress(`no build was measured; using ${nameOfBuild(build)}`)
      return { kind: "default", build }
    }
    const tuning = fastest(this.#tunings)
    this.#progress(`the fastest is ${nameOfBuild(tuning.layout)}, ${tuning.layout.groups} groups`)
    return { kind: "tuned", tuning }
  }
}

export interface TryOptions extends DriverOptions {
  readonly stop: AbortSignal
  readonly tried: (build: Build, outcome: TriedBuild) => void
}

/**
 * Tries builds in a child process until `stop`. A build whose compilation or measurement crashes or hangs is refused, and
 * another child tries those after it; if none has worked by then, they are not tried.
 */
export async function tryApart(device: GpuDevice, builds: readonly Build[], options: TryOptions): Promise<void> {
  const { stop, tried, timeoutMs = TRY_MS } = options
  let left = builds
  let works = false
  while (left.length > 0 && !stop.aborted) {
    const order = { kind: "try", device, builds: left, readsPower: true } as const
    let done = 0
    const receive = (report: DriverReport) => {
      if (report.kind !== "tried") return
      works ||= report.outcome.kind === "right"
      tried(left[done++]!, report.outcome)
    }
    const end = await run(order, { ...options, timeoutMs }, receive, stop)
    if (end.kind === "stopped" || stop.aborted) return
    const step = `while it was compiled and measured for ${device.name}`
    const why = problemOf(end, device.api, step, { ...options, timeoutMs }, device.platform)
    if (done === left.length) return
    tried(left[done]!, { kind: "refused", why: why ?? `${device.name} is no longer available` })
    left = works && (end.kind === "crashed" || end.kind === "hung") ? left.slice(done + 1) : []
  }
}

const run = (
  order: DriverOrder,
  { clock, run = runChild, timeoutMs = TIMEOUT_MS }: DriverOptions,
  report: (report: DriverReport) => void,
  stop?: AbortSignal,
): Promise<ChildEnd> => run({ order, timeoutMs, stop, clock, report: report as (report: unknown) => void })

function problemOf(
  end: ChildEnd,
  api: GpuApi,
  step: string,
  { timeoutMs = TIMEOUT_MS }: DriverOptions,
  platform?: string,
): string | undefined {
  const driver = driverOf(api, platform)
  switch (end.kind) {
    case "done":
    case "stopped":
      return undefined
    case "crashed":
      return `${driver} crashed (${end.how}) ${step}`
    case "hung":
      return `${driver} did not answer within ${timeoutMs / 1000} s ${step}`
    case "unstarted":
      return `${driver} is not loaded, because the process for it cannot be started: ${end.why}`
  }
}

function driverOf(api: GpuApi, platform: string | undefined): string {
  if (api === "cuda") return `the CUDA driver (${libraryNames(CUDA_LIBRARY, process.platform)[0]})`
  const library = libraryNames(OPENCL_LIBRARY, process.platform)[0]!
  const parts = platform ? [platform] : platformLibraries(process.env["OCL_ICD_VENDORS"] || undefined)
  return `the OpenCL driver (${[library, ...parts].join(", ")})`
}

/** The libraries that the loader loads for its platforms; empty if they are not listed in files. */
function platformLibraries(vendors = "/etc/OpenCL/vendors"): readonly string[] {
  try {
    return readdirSync(vendors)
      .filter(name => name.endsWith(".icd"))
      .map(name => basename(readFileSync(join(vendors, name), "utf8").trim()))
  } catch {
    return []
  }
}
