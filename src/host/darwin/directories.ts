/** Where programs keep their data on macOS. */
import { join } from "node:path"
import type { Environment } from "../../environment.ts"

const support = (env: Environment, program: string): string | undefined =>
  env["HOME"] ? join(env["HOME"], "Library/Application Support", program) : undefined

/** As `Platform.stateDirectory`. An explicit `XDG_STATE_HOME` comes first. */
export const stateDirectory = (env: Environment): string | undefined =>
  env["XDG_STATE_HOME"] ? join(env["XDG_STATE_HOME"], "quantus-miner") : support(env, "quantus-miner")

/** As `Platform.nodeDirectory`. */
export const nodeDirectory = (env: Environment): string | undefined => support(env, "quantus-node")
