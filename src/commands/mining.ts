/** Mines jobs from any source: opens engines and monitoring, and runs the miner. */
import { hostname } from "node:os"
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { MiningSettings } from "../config/options.ts"
import type { Unit } from "../engines/engine.ts"
import { watchEffectiveCpus } from "../host/cpu-watch.ts"
import { host } from "../host/host.ts"
import { feedWatchdog, type Notifier } from "../host/service-manager.ts"
import { EngineSet } from "../miner/engine-set.ts"
import { Miner } from "../miner/miner.ts"
import type { Monitoring } from "../observe/monitoring.ts"
import { Stats, type StatsSink } from "../observe/stats.ts"
import { lastWords, startStatusLine, statusLine } from "../observe/status-line.ts"
import { watchTriggers } from "../pausing/triggers.ts"
import type { JobSource } from "../sources/source.ts"
import { version } from "../version.ts"
import { holdRejection } from "./hold-rejection.ts"
import { readProcessKeys } from "./keys.ts"
import { openMonitoring } from "./open-monitoring.ts"
import { type OpenedEngines, openEngines } from "./opened-engines.ts"
import type { Output } from "./output.ts"
import { pauseOnSignals } from "./pause-signals.ts"
import { pauseTriggers } from "./pause-triggers.ts"
import type { SourceContext } from "./sources.ts"
import { aborted, onReload } from "./stop-signal.ts"

export interface MiningOptions {
  readonly config: Pick<Config, "stateDir" | "monitoring"> & { readonly settings: MiningSettings }
  readonly output: Output
  /** Ends mining within two seconds. */
  readonly stop: AbortSignal
  /** As for `Stats`. */
  readonly jobsOnDemand?: boolean
  /** As for `Miner`, in seconds. */
  readonly maxJobAgeSeconds?: number | undefined
  readonly openSource: (context: SourceContext & { readonly stats: StatsSink }) => Promise<JobSource>
}

/** Grace period before a forced exit. */
const END_WITHIN_MS = 1900
/** Maximum length and update interval of the service manager's status text. */
const STATUS_COLUMNS = 200
/** The connection and the first job come before the measurement of kernels, each of which takes time to render. */
const CALIBRATE_AFTER_MS = 1000
const STATUS_INTERVAL_MS = 5000

/**
 * Mines until `stop`; resolves after shutdown, when the final counts are logged.
 * Rejects with an OperatorError if mining is impossible or can no longer continue.
 */
export async function mine(options: MiningOptions): Promise<void> {
  const { config, output, stop } = options
  const { log } = output
  stop.addEventListener("abort", () => void clock.after(END_WITHIN_MS, () => process.exit()))
  const notifier = host.notifier(process.env, log)
  const opened = await Promise.race([
    openEngines({ settings: config.settings, stateDir: config.stateDir, clock, log }),
    aborted(stop),
  ])
  if (opened) await mineOn(opened, options, notifier)
  else log.info("stopped before mining began")
}

async function mineOn(opened: OpenedEngines, options: MiningOptions, notifier: Notifier): Promise<void> {
  const { config, output, stop, openSource } = options
  const { settings } = config
  const { log, terminal } = output
  const name = settings.name ?? hostname()
  log.info(`quantus-miner ${version} as ${name}`)
  const engines = new EngineSet(opened.engines)
  const units = () => engines.units
  const { jobsOnDemand = false } = options
  const stats = new Stats({
    ...{ clock, log, version, units, jobsOnDemand },
    name,
    labels: settings.label ?? {},
    readCpuEnergy: host.packageEnergy,
    details: unit => opened.details(unit),
  })
  stats.effectiveCpus(opened.cpus)
  const triggers = await pauseTriggers(settings, host, log)
  const source = await openSource({ clock, log, stats })
  const replaceEngine = opened.replaceEngine.bind(opened)
  const lateEngines = opened.lateEngines.bind(opened)
  const maxJobAgeMs = options.maxJobAgeSeconds === undefined ? undefined : 1000 * options.maxJobAgeSeconds
  const miner = new Miner({ source, engines, events: stats, clock, log, replaceEngine, lateEngines, maxJobAgeMs })

  const monitoring = await openMonitoring(config, stats, miner, log)
  const endings = [
    startStatusLine({
      stats,
      clock,
      log,
      terminal,
      redrawn: settings.logFormat === "pretty" && !settings.noStatusLine && !settings.quiet,
    }),
    followCpus(opened, stats, notifier, output, monitoring),
    pauseOnSignals(miner),
    ...(terminal.interactive && settings.logFormat === "pretty" && !settings.quiet
      ? [readProcessKeys({ isInForeground: host.isInForeground, miner, snapshot: () => stats.snapshot(), clock, log })]
      : []),
    watchTriggers(triggers, clock, (reason, paused) => miner.setPaused(reason, paused)),
    clock.after(CALIBRATE_AFTER_MS, () => void calibrate(opened, () => miner.pauseReasons.length > 0, log)),
    clock.every(STATUS_INTERVAL_MS, () => notifier.status(statusLine(stats.snapshot(), STATUS_COLUMNS))),
  ]
  const { watchdogTimeoutMs: timeoutMs } = notifier
  if (timeoutMs !== undefined) {
    endings.push(feedWatchdog({ notifier, timeoutMs, healthy: progressOf(units), clock, log }))
  }
  notifier.ready()
  try {
    await miner.run(stop)
  } catch (error) {
    await holdRejection(error, { env: process.env, clock, log, notifier, stop })
    throw error
  } finally {
    notifier.stopping()
    for (const end of endings) end()
    log.info(lastWords(stats.snapshot()))
    stats.close()
    await monitoring?.close()
  }
}

async function calibrate(opened: OpenedEngines, isPaused: () => boolean, log: Output["log"]): Promise<void> {
  try {
    await opened.calibrate(isPaused)
  } catch (error) {
    log.error(`the kernels could not be measured: ${Bun.inspect(error)}`)
  }
}

/**
 * Watches the effective CPUs. On a reload checks them immediately and reads the credentials of the metrics again.
 * Returns a function that ends the watch.
 */
function followCpus(
  opened: OpenedEngines,
  stats: StatsSink,
  notifier: Notifier,
  { log }: Output,
  monitoring: Monitoring | undefined,
): () => void {
  const watch = watchEffectiveCpus({
    initial: opened.cpus,
    read: host.effectiveCpus,
    clock,
    log,
    changed(now) {
      stats.effectiveCpus(now)
      opened
        .follow(now)
        .catch(error => log.error(`the workers could not be adapted to the changed CPUs: ${Bun.inspect(error)}`))
    },
  })
  const reload = async () => {
    notifier.reloading()
    await watch.check()
    await monitoring?.reload()
    notifier.ready()
  }
  const endReloads = onReload(() => void reload())
  return () => {
    endReloads()
    watch.stop()
  }
}

/**
 * Returns a function that reports whether the units have hashed since its last call, or have been without work.
 * @param units the current units of all engines
 */
export function progressOf(units: () => readonly Unit[]): () => boolean {
  let before = -1n
  return () => {
    const now = units()
    const hashes = now.reduce((sum, unit) => sum + unit.hashes, 0n)
    const moved = hashes !== before
    before = hashes
    return moved || now.every(unit => unit.sequence === 0)
  }
}
