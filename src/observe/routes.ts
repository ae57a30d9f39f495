/** The routes of the monitoring server. */
import { type Answer, json, plain } from "../http/answer.ts"
import type { Route } from "../http/router.ts"
import type { Exposition, MetricsFormat } from "./exposition.ts"
import { page } from "./page.ts"
import { hiveStats, mmposStats, xmrigSummary } from "./rig-monitors.ts"
import type { HostSnapshot, Snapshot } from "./snapshot.ts"
import type { Stats } from "./stats.ts"

/** Maximum number of points in the chart. */
const MAX_HISTORY_POINTS = 360
const DEFAULT_HISTORY_SECONDS = 900

export interface RoutesOptions {
  readonly stats: Stats
  /** The metrics in both formats. */
  readonly expositions: Readonly<Record<MetricsFormat, Exposition>>
  readonly hostname: string
  /** Pauses or resumes mining. */
  readonly setPaused: (paused: boolean) => void
}

/** Health and the page's document, which holds no data, need no token. */
export function createRoutes({ stats, expositions, hostname, setPaused }: RoutesOptions): readonly Route[] {
  const get = (path: string, answer: Route["answer"]): Route => ({ method: "GET", path, answer })
  const pausing = (path: string, paused: boolean): Route => ({
    method: "POST",
    path,
    requiresToken: true,
    answer() {
      setPaused(paused)
      const { pauses } = stats.snapshot()
      return plain(200, pauses.length > 0 ? pausedText(pauses) : "mining")
    },
  })
  return [
    { ...get("/", () => page), isOpen: true },
    get("/metrics", ({ accept }) => metrics(expositions[preferredFormat(accept)])),
    { ...get("/-/healthy", () => plain(200, "healthy")), isOpen: true },
    { ...get("/-/ready", ({ authorized }) => readiness(stats.snapshot(), authorized)), isOpen: true },
    pausing("/-/pause", true),
    pausing("/-/resume", false),
    get("/hive-stats", () => json(hiveStats(stats.snapshot()))),
    get("/mmpos", () => json(mmposStats(stats.snapshot()))),
    get("/2/summary", () => json(xmrigSummary(stats.snapshot(), hostname))),
    get("/1/summary", () => json(xmrigSummary(stats.snapshot(), hostname))),
    get("/api/snapshot", () => json({ hostname, ...stats.snapshot() } satisfies HostSnapshot)),
    get("/api/history", ({ query }) => history(stats, query)),
  ]
}

async function metrics(exposition: Exposition): Promise<Answer> {
  return { type: exposition.contentType, body: await exposition.render() }
}

/** The reason, which names the source, is only for clients with the token. */
function readiness({ notReady, pauses }: Snapshot, authorized: boolean): Answer {
  if (notReady !== undefined) return plain(503, authorized ? notReady : "not ready")
  return plain(200, pauses.length > 0 && authorized ? pausedText(pauses) : "ready")
}

const pausedText = (pauses: Snapshot["pauses"]): string => `paused (${pauses.join(", ")})`

function history(stats: Stats, query: URLSearchParams): Answer {
  const seconds = Number(query.get("seconds") ?? DEFAULT_HISTORY_SECONDS)
  if (!(seconds >= 60 && seconds <= 86_400)) return plain(400, "seconds: expected 60 to 86400")
  return json(stats.history(seconds, MAX_HISTORY_POINTS))
}

/** OpenMetrics if the client accepts it with at least the quality of the classic text format. */
export function preferredFormat(accept: string): MetricsFormat {
  const wanted = { "application/openmetrics-text": 0, "text/plain": 0 }
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map(part => part.trim().toLowerCase())
    if (type !== "application/openmetrics-text" && type !== "text/plain") continue
    const quality = Number(parameters.find(parameter => parameter.startsWith("q="))?.slice(2) ?? 1)
    if (quality > wanted[type]) wanted[type] = quality
  }
  const { "application/openmetrics-text": open, "text/plain": classic } = wanted
  return open > 0 && open >= classic ? "openmetrics" : "prometheus"
}
