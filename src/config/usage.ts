/** Renders the option table for citty's usage text. */
import type { ArgsDef } from "citty"
import { COMMANDS, type Command, type CommandInfo } from "./commands.ts"
import { fileKeyOf, flagsOf, optionOf, optionsOf, variablesOf } from "./options.ts"

/** citty's argument definitions, from which it renders the usage text of a command. */
export function usageArgs(command: Command): ArgsDef {
  const args: ArgsDef = {}
  const { positionals = [] }: CommandInfo = COMMANDS[command]
  for (const name of positionals) args[name] = { type: "positional", required: false }
  for (const name of optionsOf(command)) {
    const { value, help, default: standard } = optionOf(name)
    const [flag, ...aliases] = flagsOf(name)
    const others = [...aliases.map(alias => `--${alias}`), ...variablesOf(name)]
    const description = others.length > 0 ? `${help} [${others.join(", ")}]` : help
    // An option without a value is a boolean that is off by default.
    args[flag!] = value
      ? { type: "string", valueHint: value, description, ...(standard !== undefined && { default: standard }) }
      : { type: "boolean", description }
  }
  return args
}

/** A row of the manual's table. */
export interface OptionRow {
  readonly flags: readonly string[]
  readonly variables: readonly string[]
  /** Its key in a configuration file. */
  readonly fileKey: string | undefined
  readonly value: string | undefined
  readonly default: string | undefined
  readonly help: string
}

export function optionRows(command: Command): OptionRow[] {
  return optionsOf(command).map(name => {
    const { value, help, default: standard } = optionOf(name)
    const flags = flagsOf(name).map(flag => `--${flag}`)
    return { flags, variables: variablesOf(name), fileKey: fileKeyOf(name), value, default: standard, help }
  })
}
