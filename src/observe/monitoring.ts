/** The monitoring server. Modules that only it needs, such as prom-client, are loaded on demand. */
import { BlockList, isIP } from "node:net"
import { hostname } from "node:os"
import type { Clock } from "../clock.ts"
import type { TlsIdentity } from "../http/server.ts"
import type { Serving } from "../http/serving.ts"
import type { Log } from "../log.ts"
import type { Stats } from "./stats.ts"

export interface MonitoringOptions {
  readonly stats: Stats
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Names in Host headers that are accepted besides the machine's. */
  readonly allowedHosts?: readonly string[] | undefined
  /** The token that clients must send; undefined if the metrics are open. */
  readonly token?: Renewable<string> | undefined
  /** Undefined to serve without TLS. */
  readonly tls?: Renewable<TlsIdentity> | undefined
  /** Whether this process runs in a container. */
  readonly inContainer?: boolean
  /** Pauses or resumes mining. */
  readonly setPaused: (paused: boolean) => void
  readonly clock: Clock
  readonly log: Log
}

/** A value in a file that may change. */
export interface Renewable<T> {
  /** @throws an error with a message for the operator if the file has become unusable */
  read(): T
}

export interface Monitoring extends Pick<Serving, "port" | "close"> {
  /** Reads token, certificate and key again; values that have become unusable are kept, with a warning. */
  reload(): Promise<void>
}

/** Serves metrics, health, rig monitor routes and the page. A port in use is retried every 30 s and never throws. */
export async function serveMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const { stats, host, port, allowedHosts, setPaused, clock } = options
  const [{ createExposition }, { createRoutes }, { keepServing }, { machineHostCheck }, { urlHost }] =
    await Promise.all([
      import("./exposition.ts"),
      import("./routes.ts"),
      import("../http/serving.ts"),
      import("../http/host-check.ts"),
      import("../http/server.ts"),
    ])
  const log = options.log.withTag("http")
  const expositions = {
    prometheus: createExposition(stats, "prometheus"),
    openmetrics: createExposition(stats, "openmetrics"),
  }
  const routes = createRoutes({ stats, expositions, hostname: hostname(), setPaused })
  const acceptsHost = machineHostCheck(host, allowedHosts)
  let token = options.token?.read()
  let tls = options.tls?.read()
  if (token === undefined && !isLoopback(host)) {
    log.warn(`the metrics on ${host} are open to everyone who can connect: require a token by --metrics-token-file`)
  }
  if (options.inContainer && isLoopback(host)) {
    log.info(
      `metrics on ${host} cannot be reached from outside this container unless it shares the host's network: ` +
        "--metrics-host 0.0.0.0 serves them on every address",
    )
  }
  const serving = keepServing(
    () => ({
      ...{ host, port, routes, acceptsHost, tls, log },
      token: () => token,
      answered: (endpoint, code) => stats.httpRequest(endpoint, code),
    }),
    clock,
    log,
    at => log.info(`serving ${tls ? "https" : "http"}://${urlHost(host)}:${at}/ and /metrics`),
  )
  return {
    get port() {
      return serving.port
    },
    async reload() {
      token = renewed(options.token, token, log)
      const before = tls
      tls = renewed(options.tls, tls, log)
      if (tls?.cert !== before?.cert || tls?.key !== before?.key) await serving.reopen()
    },
    close: () => serving.close(),
  }
}

function renewed<T>(source: Renewable<T> | undefined, current: T | undefined, log: Log): T | undefined {
  try {
    return source?.read()
  } catch (error) {
    log.warn(`${(error as Error).message}: the previous content stays in use`)
    return current
  }
}

function isLoopback(host: string): boolean {
  if (host === "localhost") return true
  const loopback = new BlockList()
  loopback.addSubnet("127.0.0.0", 8)
  loopback.addAddress("::1", "ipv6")
  return isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? "ipv6" : "ipv4")
}
