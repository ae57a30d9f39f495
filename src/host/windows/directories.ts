/** Where programs keep their data on Windows. */
import { win32 } from "node:path"
import type { Environment } from "../../environment.ts"

/** `%LOCALAPPDATA%`, by default a folder of the user's profile; undefined without a profile. */
function localData({ LOCALAPPDATA: local, USERPROFILE: profile }: Environment): string | undefined {
  return local || (profile ? win32.join(profile, "AppData\\Local") : undefined)
}

/** As `Platform.stateDirectory`. An explicit `XDG_STATE_HOME` comes first. */
export function stateDirectory(env: Environment): string | undefined {
  const directory = env["XDG_STATE_HOME"] || localData(env)
  return directory && win32.join(directory, "quantus-miner")
}

/** As `Platform.nodeDirectory`: the node appends `data` to the program's folder on Windows. */
export function nodeDirectory(env: Environment): string | undefined {
  const directory = localData(env)
  return directory && win32.join(directory, "quantus-node\\data")
}
