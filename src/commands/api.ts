/** `api`: mines jobs posted to the HTTP job API until stopped. */
import type { Config } from "../config/config.ts"
import type { MineResult } from "../observe/snapshot.ts"
import type { StatsSink } from "../observe/stats.ts"
import { createApiSource } from "../sources/api/api-source.ts"
import { mine } from "./mining.ts"
import { openOutput } from "./output.ts"
import { stopSignal } from "./stop-signal.ts"

export async function run(config: Config<"api">): Promise<void> {
  const { settings, apiToken, notes } = config
  const stop = stopSignal()
  const output = openOutput(settings, notes)
  const { host, port, metricsAllowedHosts: allowedHosts } = settings
  const token = apiToken?.read()
  await mine({
    config,
    output,
    stop,
    jobsOnDemand: true,
    openSource: async ({ clock, log, stats }) =>
      createApiSource({ host, port, token, allowedHosts, clock, log, answered: counted(stats) }),
  })
}

/** Counts responses by endpoint and code, and `/mine` requests by result. */
function counted(stats: StatsSink): (endpoint: string, code: number) => void {
  return (endpoint, code) => {
    stats.httpRequest(endpoint, code)
    if (endpoint === "/mine") stats.mineRequest(MINE_RESULTS[code] ?? "error")
  }
}

const MINE_RESULTS: Readonly<Record<number, MineResult>> = { 200: "accepted", 400: "invalid", 409: "duplicate" }
