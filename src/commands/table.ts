/** The subcommands; the code of a command is loaded only when it runs. */
import { type CommandDef, defineCommand } from "citty"
import { systemClock } from "../clock.ts"
import { COMMANDS, type Command } from "../config/commands.ts"
import { type Config, resolveConfig } from "../config/config.ts"
import { systemFiles } from "../config/files.ts"
import { MissingSecret } from "../config/secrets.ts"
import { usageArgs } from "../config/usage.ts"
import { OperatorError } from "../errors.ts"
import { logsJson, wantsJson } from "../failure.ts"
import { version } from "../version.ts"

/** Exported by the file of each command. `run` settles when the command has ended. */
export interface CommandModule<C extends Command> {
  run(config: Config<C>): Promise<void>
  /** Reports a configuration that cannot be resolved; without it, the error ends the process. */
  reportProblem?(error: OperatorError, json: boolean): void | Promise<void>
}

const MODULES: { readonly [C in Command]: () => Promise<CommandModule<C>> } = {
  serve: () => import("./serve.ts"),
  benchmark: () => import("./benchmark.ts"),
  tune: () => import("./tune.ts"),
  hash: () => import("./hash.ts"),
  devices: () => import("./devices.ts"),
  sources: () => import("./probe-sources.ts"),
  node: () => import("./node.ts"),
  pool: () => import("./pool.ts"),
  api: () => import("./api.ts"),
  demo: () => import("./demo.ts"),
  doctor: () => import("./doctor.ts"),
  setup: () => import("./setup.ts"),
  health: () => import("./health.ts"),
  completions: () => import("./completions.ts"),
  version: () => import("./version.ts"),
}

/** The program; like `usageOf`, only for citty's usage text. */
export const root = defineCommand({
  meta: { name: "quantus-miner", version, description: "A miner for Quantus" },
  subCommands: Object.fromEntries((Object.keys(MODULES) as Command[]).map(name => [name, usageOf(name)])),
})

export function isCommand(name: string): name is Command {
  return Object.hasOwn(MODULES, name)
}

export function usageOf(name: Command): CommandDef {
  return defineCommand({ meta: { name, description: COMMANDS[name].description }, args: usageArgs(name) }) as CommandDef
}

/**
 * Resolves the configuration and runs the command.
 * @param args the arguments after the command name
 * @throws OperatorError
 */
export async function runCommand<C extends Command>(name: C, args: readonly string[]): Promise<void> {
  const resolve = () => resolveConfig(name, args, process.env, systemFiles)
  if (name === "serve") {
    const config = await whenSecretsExist(resolve, args)
    const { run } = await MODULES[name]()
    return await run(config)
  }
  const [resolved, { run, reportProblem }] = await Promise.all([resolve().catch(asOperatorError), MODULES[name]()])
  if (!(resolved instanceof OperatorError)) return await run(resolved)
  if (!reportProblem) throw resolved
  await reportProblem(resolved, wantsJson(args))
}

function asOperatorError(error: unknown): OperatorError {
  if (error instanceof OperatorError) return error
  throw error
}

/**
 * Resolves the configuration, and waits for credential files that do not exist yet. The modules for waiting are loaded
 * only if needed.
 */
async function whenSecretsExist<T>(resolve: () => Promise<T>, args: readonly string[]): Promise<T> {
  try {
    return await resolve()
  } catch (error) {
    if (!(error instanceof MissingSecret)) throw error
    const [{ awaitSecrets }, { openOutput }, { host }] = await Promise.all([
      import("./await-secrets.ts"),
      import("./output.ts"),
      import("../host/host.ts"),
    ])
    const { log } = openOutput({ logFormat: logsJson(args, process.env) ? "json" : "pretty", verbose: false })
    // Keeps the process alive while nothing else is pending.
    const timer = setInterval(() => {}, 60_000)
    try {
      return await awaitSecrets(resolve, { clock: systemClock, log, notifier: host.notifier(process.env, log) })
    } finally {
      clearInterval(timer)
    }
  }
}
