/** The subcommands with their code, which is loaded when a command is run and not before. */
import { type CommandDef, defineCommand } from "citty"
import { COMMANDS, type Command } from "../config/commands.ts"
import { type Config, resolveConfig } from "../config/config.ts"
import { systemFiles } from "../config/files.ts"
import { usageArgs } from "../config/usage.ts"
import { version } from "../version.ts"

/** What a file in this folder exports. The command has ended when `run` settles. */
export interface CommandModule<C extends Command> {
  run(config: Config<C>): Promise<void>
}

const MODULES: { readonly [C in Command]?: () => Promise<CommandModule<C>> } = {
  serve: () => import("./serve.ts"),
  benchmark: () => import("./benchmark.ts"),
  hash: () => import("./hash.ts"),
  devices: () => import("./devices.ts"),
  node: () => import("./node.ts"),
  pool: () => import("./pool.ts"),
  api: () => import("./api.ts"),
  demo: () => import("./demo.ts"),
}

export const root = defineCommand({
  meta: { name: "quantus-miner", version, description: "A miner for Quantus" },
  subCommands: Object.fromEntries((Object.keys(MODULES) as Command[]).map(name => [name, define(name)])),
})

/** The command of that name, undefined for an unknown one. */
export function commandOf(name: string): CommandDef | undefined {
  return Object.hasOwn(MODULES, name) ? define(name as Command) : undefined
}

function define<C extends Command>(name: C): CommandDef {
  return defineCommand({
    meta: { name, description: COMMANDS[name].description },
    args: usageArgs(name),
    async run({ rawArgs }) {
      const config = await resolveConfig(name, rawArgs, process.env, systemFiles)
      const { run } = await MODULES[name]!()
      await run(config)
    },
  }) as CommandDef
}
