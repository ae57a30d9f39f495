/** Runs Windows programs under Wine, in the folder that `scripts/wine-root.sh` builds. */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { bundle } from "../../scripts/bundle.ts"
import { lockedPackages, runtimeFor } from "../../scripts/release/runtimes.ts"
import { TARGETS } from "../../scripts/release/targets.ts"
import { LoggedProcess } from "../support/logged-process.ts"

export const ROOT = join(import.meta.dir, "../..")
const { PATH = "" } = process.env

let built: string | undefined

/** The folder with Wine, built if absent. @throws Error if that fails */
function folder(): string {
  if (built === undefined) {
    const { success, stdout, stderr } = Bun.spawnSync([join(ROOT, "scripts/wine-root.sh")])
    if (!success) throw new Error(`scripts/wine-root.sh: ${stderr}`)
    built = stdout.toString().trim()
  }
  return built
}

const target = TARGETS.find(({ name }) => name === "windows-x64")!

function runtime(): string {
  const cache = join(ROOT, "node_modules/.cache/release")
  return runtimeFor(target, lockedPackages(ROOT).get(target.runtimePackage)!, cache)
}

/** @returns the path of the pinned runtime, as a program that Windows starts */
export function windowsRuntime(): string {
  const path = join(folder(), "bun.exe")
  copyFileSync(runtime(), path)
  return path
}

/** Builds the miner for Windows. @returns the executable's path */
export function windowsExecutable(): Promise<string> {
  const directory = join(folder(), "miner")
  mkdirSync(directory, { recursive: true })
  const foreign = { target: target.bun, runtime: runtime() }
  return bundle({ outfile: join(directory, "quantus-miner"), bytecode: false, foreign })
}

export interface WineOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a program in the repository's root until it ends. */
export function runWine(program: string, args: readonly string[], { input, env }: WineOptions = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([join(folder(), "wine"), program, ...args], {
    cwd: ROOT,
    env: { PATH, ...env },
    stdin: input === undefined ? "ignore" : Buffer.from(input),
  })
  // A Windows program ends its lines by CR and LF.
  const text = (bytes: Buffer) => bytes.toString().replaceAll("\r\n", "\n")
  return { code: exitCode, out: text(stdout), err: text(stderr) }
}

/** Starts a program. SIGINT makes Wine send it Ctrl-C. */
export const startWine = (program: string, args: readonly string[]): LoggedProcess =>
  new LoggedProcess([join(folder(), "wine"), program, ...args], { env: { PATH } })
