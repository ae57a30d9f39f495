import { existsSync } from "node:fs"
import type { Environment } from "../environment.ts"

/** Files that Podman and Docker put into a container. */
const FILES = ["/run/.containerenv", "/.dockerenv"]

/** Whether this process runs in a container. @param exists whether a path exists; tests may replace it */
export const isContainer = (env: Environment, exists: (path: string) => boolean = existsSync): boolean =>
  Boolean(env["container"] || env["KUBERNETES_SERVICE_HOST"]) || FILES.some(exists)
