/** Creates the configured job sources; a transport is loaded only if it is used. */
import type { Clock } from "../clock.ts"
import type { QuicSourceConfig, SourceConfig, StratumSourceConfig } from "../config/sources.ts"
import type { Log } from "../log.ts"
import type { StatsSink } from "../observe/stats.ts"
import { createFailover } from "../sources/failover.ts"
import type { JobSource } from "../sources/source.ts"
import { version } from "../version.ts"

export interface SourceContext {
  readonly clock: Clock
  readonly log: Log
  readonly stats: Pick<StatsSink, "source">
}

/**
 * Combines the sources to one that fails over in order.
 * @param patienceSeconds how long a source may have no job before the next one is started
 */
export async function openSources(
  configs: readonly SourceConfig[],
  { log, ...rest }: SourceContext,
  patienceSeconds: number,
): Promise<JobSource> {
  const context = { ...rest, log: log.withTag("net") }
  for (const { name } of configs) context.stats.source(name)
  const makers = configs.map(config => openSource(config, context))
  return createFailover({ sources: await Promise.all(makers), patienceMs: 1000 * patienceSeconds, ...context })
}

/** Returns a function that creates the source, not started. */
export function openSource(config: SourceConfig, context: Omit<SourceContext, "stats">): Promise<() => JobSource> {
  return config.protocol === "quic" ? quicMaker(config, context) : stratumMaker(config, context)
}

async function quicMaker(config: QuicSourceConfig, context: Omit<SourceContext, "stats">): Promise<() => JobSource> {
  const [{ createQuicSource }, { createTransport }, { resolveHost }] = await Promise.all([
    import("../sources/quic/quic-source.ts"),
    import("../sources/quic/node-quic.ts"),
    import("../sources/quic/resolve.ts"),
  ])
  return () => createQuicSource({ ...config, transport: createTransport(), resolve: resolveHost, ...context })
}

async function stratumMaker(
  config: StratumSourceConfig,
  context: Omit<SourceContext, "stats">,
): Promise<() => JobSource> {
  const [{ createStratumSource }, { connectTo }] = await Promise.all([
    import("../sources/stratum/stratum-source.ts"),
    import("../sources/stratum/socket.ts"),
  ])
  const { name, protocol, host, port, login, password, pin, proxy } = config
  const connect = connectTo({ tls: protocol === "stratum+tls", host, port, pin, proxy })
  const credentials = () => ({ login, password: password.read(), agent: `quantus-miner/${version}` })
  const record = { accepted: false }
  return () => createStratumSource({ name, connect, credentials, record, ...context })
}
