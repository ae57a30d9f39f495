/** `tune`: searches for a faster order of a kernel's instructions on this machine, and stores it for later starts. */
import { join } from "node:path"
import type { Config } from "../config/config.ts"
import { ScheduleSearch } from "../engines/cpu/search-schedules.ts"
import { digestOf, loadTunings, saveTuning, TUNINGS_FILE, type Tunings } from "../engines/cpu/tuned-kernels.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import type { CompileOptions } from "../kernel/compiler/compile-block.ts"
import { UnsupportedKernel } from "../kernel/kernel.ts"
import type { RenderedKernel } from "../kernel/x64/program/render.ts"
import { loadKernel, renderX64Kernel, X64_ENGINES } from "../kernel/x64/x64-kernel.ts"
import type { Log } from "../log.ts"
import { version } from "../version.ts"
import { openOutput } from "./output.ts"
import { stopSignal } from "./stop-signal.ts"
import { tuneGpus } from "./tune-gpus.ts"

/** Interval of progress lines without a terminal, and of status lines on one. */
const PROGRESS_MS = 30_000
const STATUS_MS = 500

/** Orders kept in memory; older ones are computed again. */
const MAX_ORDERS = 1000

export async function run(config: Config<"tune">): Promise<void> {
  const { settings, stateDir, notes } = config
  if (settings.gpu) return tuneGpus(config)
  const stop = stopSignal()
  const { log, terminal } = openOutput(settings, notes)
  const { model: cpu = "" } = await host.cpuInfo()
  const key = { cpu, version }
  const file = stateDir === undefined ? undefined : join(stateDir, TUNINGS_FILE)
  if (file === undefined) log.warn("no state directory: the result is printed and not stored")
  const known = file === undefined ? {} : loadTunings(file, key, log)
  const kernel = kernelOf(settings.engine)
  const search = openSearch(kernel, known)
  log.info(`tuning ${kernel} for ${settings.minutes} minutes`)

  const begin = performance.now()
  const end = begin + settings.minutes * 60_000
  for (let reported = begin; performance.now() < end && !stop.aborted; ) {
    search.step()
    // Signals are delivered between candidates.
    await new Promise(resolve => setImmediate(resolve))
    const now = performance.now()
    if (now - reported < (terminal.interactive ? STATUS_MS : PROGRESS_MS)) continue
    reported = now
    const line = `${((now - begin) / 60_000).toFixed(1)} of ${settings.minutes} min: ${progressText(search)}`
    if (terminal.interactive) terminal.setStatus(line)
    else log.info(line)
  }
  terminal.setStatus("")

  const { tried, kept, wrong } = search.progress
  const gain = search.measureGain()
  const { schedules, rendered } = search.best
  const digest = digestOf(rendered)
  search.close()
  const isFaster = file !== undefined && kept > 0 && gain > 1
  const tuning = { digest, gain: gain * (known[kernel]?.gain ?? 1), schedules }
  const isStored = isFaster && stores(() => saveTuning(file, key, kernel, tuning, log), log)
  const seconds = (performance.now() - begin) / 1000
  if (settings.json) {
    const stored = isStored ? file : null
    console.log(JSON.stringify({ kernel, cpu, seconds, tried, kept, wrong, gain, digest, stored, schedules }))
  } else {
    console.log(`${kernel}: ${percent(gain)} after ${tried} candidates, ${kept} kept, ${wrong} wrong`)
    console.log(isStored ? `stored in ${file}; later starts use it` : "nothing was stored")
  }
}

/** @returns whether it could be stored; a warning says why not */
function stores(save: () => void, log: Log): boolean {
  try {
    save()
    return true
  } catch (error) {
    log.warn(`the result cannot be stored: ${(error as Error).message}; specify --state-dir`)
    return false
  }
}

/** @throws OperatorError: usage for an engine without machine code; selfTest if the kernel computes wrong results */
function openSearch(kernel: string, tunings: Tunings): ScheduleSearch {
  const orders: NonNullable<CompileOptions["orders"]> = new Map()
  const tuned = tunings[kernel]?.schedules
  let start: RenderedKernel["schedules"]
  try {
    start = renderX64Kernel(kernel, tuned && { schedules: tuned }).schedules
    return new ScheduleSearch({
      render: schedules => {
        if (orders.size > MAX_ORDERS) orders.clear()
        return renderX64Kernel(kernel, { schedules, orders })
      },
      load: rendered => loadKernel(kernel, rendered),
      start,
      random: Math.random,
      now: () => performance.now(),
    })
  } catch (error) {
    throw new OperatorError(`${kernel} cannot be tuned: ${(error as Error).message}`, ExitCode.selfTest)
  }
}

/** @throws OperatorError (usage) for a name without machine code for x86-64; selfTest if none can run here */
function kernelOf(engine: string): string {
  const isKnown = (X64_ENGINES as readonly string[]).includes(engine)
  if (engine !== "auto" && !isKnown)
    throw new OperatorError(
      `--engine ${engine} cannot be tuned: available engines are auto, ${X64_ENGINES.join(", ")}`,
      ExitCode.usage,
    )
  const reasons: string[] = []
  for (const name of isKnown ? [engine] : X64_ENGINES) {
    try {
      loadKernel(name, renderX64Kernel(name)).close()
      return name
    } catch (error) {
      if (!(error instanceof UnsupportedKernel)) throw error
      reasons.push(`${name}: ${error.message}`)
    }
  }
  throw new OperatorError(`no engine can be tuned on this machine (${reasons.join("; ")})`, ExitCode.selfTest)
}

function progressText({ progress: { tried, kept, gain } }: ScheduleSearch): string {
  return `${tried} candidates, ${kept} kept, about ${percent(gain)}`
}

const percent = (ratio: number): string => `${ratio < 1 ? "" : "+"}${(100 * (ratio - 1)).toFixed(2)} %`
