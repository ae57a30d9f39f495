import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { MiningSettings } from "../config/options.ts"
import { isContainer } from "../host/container.ts"
import type { Log } from "../log.ts"
import type { Miner } from "../miner/miner.ts"
import { type Monitoring, serveMonitoring } from "../observe/monitoring.ts"
import type { Stats } from "../observe/stats.ts"

/** Serves the metrics; undefined without `--metrics-port`. */
export async function openMonitoring(
  { settings, monitoring }: Pick<Config, "monitoring"> & { readonly settings: MiningSettings },
  stats: Stats,
  miner: Miner,
  log: Log,
): Promise<Monitoring | undefined> {
  const { metricsHost: host, metricsPort: port, metricsAllowedHosts: allowedHosts } = settings
  if (port === undefined) return undefined
  const setPaused = (paused: boolean) => miner.setPaused("http", paused)
  const inContainer = isContainer(process.env)
  return await serveMonitoring({ ...monitoring, stats, host, port, allowedHosts, inContainer, setPaused, clock, log })
}
