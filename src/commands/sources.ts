/** Creates the configured job sources; a transport is loaded only if it is used. */
import type { Clock } from "../clock.ts"
import type { QuicSourceConfig, SourceConfig, StratumSourceConfig } from "../config/sources.ts"
import type { Log } from "../log.ts"
import type { StatsSink } from "../observe/stats.ts"
import { newAcceptance } from "../sources/acceptance.ts"
import { createFailover } from "../sources/failover.ts"
import type { Transport } from "../sources/quic/transport.ts"
import type { JobSource } from "../sources/source.ts"
import type { Connect, StratumAddress } from "../sources/stratum/socket.ts"
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
  const makers = await Promise.all(configs.map(config => openSource(config, context)))
  const sources = makers.map(make => () => make())
  return createFailover({ sources, patienceMs: 1000 * patienceSeconds, ...context })
}

/** Creates the source; `opened` is called when a connection is open, with the certificate of an encrypted one. */
export type SourceMaker = (opened?: (certificate?: Uint8Array) => void) => JobSource

export const openSource = (
  config: SourceConfig,
  context: Pick<SourceContext, "clock" | "log">,
): Promise<SourceMaker> => (config.protocol === "quic" ? quicMaker(config, context) : stratumMaker(config, context))

async function quicMaker(
  config: QuicSourceConfig,
  context: Pick<SourceContext, "clock" | "log">,
): Promise<SourceMaker> {
  const [{ createQuicSource }, { createTransport }, { resolveHost }] = await Promise.all([
    import("../sources/quic/quic-source.ts"),
    import("../sources/quic/node-quic.ts"),
    import("../sources/quic/resolve.ts"),
  ])
  const acceptance = newAcceptance()
  return (opened = () => {}) => {
    const transport = createTransport()
    const noted: Transport = {
      connect: (address, events) =>
        transport.connect(address, {
          ...events,
          opened(certificate) {
            opened(certificate)
            events.opened(certificate)
          },
        }),
      sendRefusal: address => transport.sendRefusal(address),
      close: () => transport.close(),
    }
    return createQuicSource({ ...config, transport: noted, resolve: resolveHost, acceptance, ...context })
  }
}

async function stratumMaker(
  config: StratumSourceConfig,
  context: Pick<SourceContext, "clock" | "log">,
): Promise<SourceMaker> {
  const [{ createStratumSource }, { connectTo }] = await Promise.all([
    import("../sources/stratum/stratum-source.ts"),
    import("../sources/stratum/socket.ts"),
  ])
  const { name, login, password, pin } = config
  const connect = connectTo(addressOf(config))
  const credentials = () => ({ login, password: password.read(), agent: `quantus-miner/${version}` })
  const acceptance = newAcceptance()
  return (opened = () => {}) => {
    const noted: Connect = events =>
      connect({
        ...events,
        open(certificate) {
          opened(certificate)
          events.open(certificate)
        },
      })
    return createStratumSource({ name, connect: noted, credentials, password, pin, acceptance, ...context })
  }
}

/** The certificate that a pool presents, whether or not it is trusted; undefined if no connection opens. DER. */
export async function presentedCertificate(config: StratumSourceConfig): Promise<Uint8Array | undefined> {
  const { readCertificate } = await import("../sources/stratum/socket.ts")
  return readCertificate(addressOf(config))
}

const addressOf = ({ protocol, host, port, pin, proxy }: StratumSourceConfig): StratumAddress => ({
  ...{ tls: protocol === "stratum+tls", host, port, pin, proxy },
})
