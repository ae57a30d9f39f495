/** The monitoring server. Modules that only it needs, such as prom-client, are loaded on demand. */
import { hostname } from "node:os"
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import type { HttpServer } from "./http.ts"
import type { Stats } from "./stats.ts"

export interface MonitoringOptions {
  readonly stats: Stats
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly clock: Clock
  readonly log: Log
}

/** Serves metrics, health, rig monitor routes and the page. A port in use is retried every 30 s and never throws. */
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
