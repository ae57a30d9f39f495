/** The metrics server's routes that answer GET without a token. */
export const ROUTES = [
  "/",
  "/metrics",
  "/-/healthy",
  "/-/ready",
  "/hive-stats",
  "/mmpos",
  "/2/summary",
  "/api/snapshot",
  "/api/history",
]
