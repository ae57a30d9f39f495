/** Builds the source of jobs that a configuration names; each transport is loaded only where it is used. */
import type { Clock } from "../clock.ts"
import type { QuicSourceConfig, SourceConfig, StratumSourceConfig } from "../config/sources.ts"
import type { Log } from "../log.ts"
import type { JobSource } from "../sources/source.ts"
import { version } from "../version.ts"

export interface SourceContext {
  readonly clock: Clock
  readonly log: Log
}

export function openSource(config: SourceConfig, context: SourceContext): Promise<JobSource> {
  return config.protocol === "quic" ? openQuic(config, context) : openStratum(config, context)
}

async function openQuic(config: QuicSourceConfig, { clock, log }: SourceContext): Promise<JobSource> {
  const [{ createQuicSource }, { createTransport }, { resolveHost }] = await Promise.all([
    import("../sources/quic/quic-source.ts"),
    import("../sources/quic/node-quic.ts"),
    import("../sources/quic/resolve.ts"),
  ])
  return createQuicSource({ ...config, transport: createTransport(), resolve: resolveHost, clock, log })
}

async function openStratum(config: StratumSourceConfig, { clock, log }: SourceContext): Promise<JobSource> {
  const [{ createStratumSource }, { connectTo }] = await Promise.all([
    import("../sources/stratum/stratum-source.ts"),
    import("../sources/stratum/socket.ts"),
  ])
  const { name, protocol, host, port, login, password, pin } = config
  const connect = connectTo({ tls: protocol === "stratum+tls", host, port, pin: pin && (() => pin.read()) })
  const credentials = () => ({ login, password: password.read(), agent: `quantus-miner/${version}` })
  return createStratumSource({ name, connect, credentials, clock, log })
}
