/** The monitoring server. Everything that only it needs, prom-client first, is loaded here and so only when it is asked for. */
import { hostname } from "node:os"
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import type { HttpServer } from "./http.ts"
import type { Stats } from "./stats.ts"

export interface MonitoringOptions {
  readonly stats: Stats
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Log
}

/** Serves metrics, health, rig monitors and the page; a taken port is tried again every 30 s and never an error. */
export async function serveMonitoring({ stats, host, port, clock, log }: MonitoringOptions): Promise<HttpServer> {
  const [{ createExposition }, { createRoutes }, { serveHttp }] = await Promise.all([
    import("./metrics.ts"),
    import("./routes.ts"),
    import("./http.ts"),
  ])
  const expositions = {
    prometheus: createExposition(stats, "prometheus"),
    openmetrics: createExposition(stats, "openmetrics"),
  }
  const routes = createRoutes(stats, expositions, hostname())
  const answered = (endpoint: string, code: number) => stats.httpRequest(endpoint, code)
  return serveHttp({ host, port, routes, clock, log: log.withTag("http"), answered })
}
