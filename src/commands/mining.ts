/** Mining, wherever the jobs come from: the machine, the engines, the loop, and all that watch them. */
import { systemClock as clock } from "../clock.ts"
import type { MiningSettings } from "../config/options.ts"
import { watchEffectiveCpus } from "../host/cpu-watch.ts"
import { readEffectiveCpus } from "../host/effective-cpus.ts"
import { createNotifier, feedWatchdog, watchdogTimeout } from "../host/systemd.ts"
import { Miner } from "../miner/miner.ts"
import { serveMonitoring } from "../observe/monitoring.ts"
import { Stats, type StatsSink } from "../observe/stats.ts"
import { lastWords, startStatusLine, statusLine } from "../observe/status-line.ts"
import type { JobSource } from "../sources/source.ts"
import { version } from "../version.ts"
import { openMachine } from "./machine.ts"
import type { Output } from "./output.ts"
import { progressOf } from "./progress.ts"
import type { SourceContext } from "./sources.ts"

export interface MiningOptions {
  readonly settings: MiningSettings
  readonly output: Output
  /** Ends the mining. */
  readonly stop: AbortSignal
  readonly openSource: (context: SourceContext & { readonly stats: StatsSink }) => Promise<JobSource>
}

/** The service manager's status text, and how often it is renewed. */
const STATUS_COLUMNS = 200
const STATUS_EVERY = 5000

/**
 * Mines until `stop`; settles when everything has ended, with the last counts logged.
 * Rejects with an OperatorError where nothing can be mined, or not any more.
 */
export async function mine({ settings, output, stop, openSource }: MiningOptions): Promise<void> {
  const { log, terminal } = output
  const notifier = createNotifier(process.env, log)
  const machine = await openMachine({ settings, clock, log })

  let miner: Miner | undefined
  const units = () => (miner?.engines ?? []).flatMap(engine => engine.units)
  const stats = new Stats({ clock, version, units })
  stats.effectiveCpus(machine.cpus)
  const source = await openSource({ clock, log, stats })
  miner = new Miner({
    source,
    engines: machine.engines,
    stats,
    clock,
    log,
    replaceEngine: failed => machine.replaceEngine(failed),
  })

  const watch = watchEffectiveCpus({
    initial: machine.cpus,
    read: readEffectiveCpus,
    clock,
    log,
    changed(now) {
      stats.effectiveCpus(now)
      void machine.follow(now)
    },
  })
  process.on("SIGHUP", async () => {
    notifier.reloading()
    await watch.check()
    notifier.ready()
  })
  const endings = [
    watch.stop,
    startStatusLine({ stats, clock, log, terminal, format: settings.logFormat }),
    clock.every(STATUS_EVERY, () => notifier.status(statusLine(stats.snapshot(), STATUS_COLUMNS))),
  ]
  const timeout = watchdogTimeout(process.env)
  if (timeout !== undefined) {
    endings.push(feedWatchdog({ notifier, timeout, healthy: progressOf(units), clock, log }))
  }
  const { metricsHost: host, metricsPort: port } = settings
  const monitoring = port === undefined ? undefined : await serveMonitoring({ stats, host, port, clock, log })

  notifier.ready()
  try {
    await miner.run(stop)
  } finally {
    notifier.stopping()
    for (const end of endings) end()
    log.info(lastWords(stats.snapshot()))
    stats.close()
    await monitoring?.close()
  }
}
