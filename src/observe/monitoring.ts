/** The monitoring server. Modules that only it needs, such as prom-client, are loaded on demand. */
import { hostname } from "node:os"
import type { Clock } from "../clock.ts"
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
  readonly clock: Clock
  readonly log: Log
}

/** Serves metrics, health, rig monitor routes and the page. A port in use is retried every 30 s and never throws. */
export async function serveMonitoring({
  stats,
  host,
  port,
  allowedHosts,
  clock,
  log,
}: MonitoringOptions): Promise<Serving> {
  const [{ createExposition }, { createRoutes }, { keepServing }, { machineHostCheck }, { urlHost }] =
    await Promise.all([
      import("./metrics.ts"),
      import("./routes.ts"),
      import("../http/serving.ts"),
      import("../http/host-check.ts"),
      import("../http/server.ts"),
    ])
  const expositions = {
    prometheus: createExposition(stats, "prometheus"),
    openmetrics: createExposition(stats, "openmetrics"),
  }
  const tagged = log.withTag("http")
  const options = {
    host,
    port,
    routes: createRoutes(stats, expositions, hostname()),
    acceptsHost: machineHostCheck(host, allowedHosts),
    log: tagged,
    answered: (endpoint: string, code: number) => stats.httpRequest(endpoint, code),
  }
  return keepServing(
    () => options,
    clock,
    tagged,
    at => tagged.info(`serving http://${urlHost(host)}:${at}/ and /metrics`),
  )
}
