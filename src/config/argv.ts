/**
 * Parses the command line against the option table. citty only renders the usage text, because its parser accepts
 * unknown flags, keeps the last of repeated ones, and passes an empty string for a missing value.
 */
import { ExitCode, OperatorError } from "../errors.ts"
import { COMMANDS, type Command, type CommandInfo } from "./commands.ts"
import { type Given, type GivenOptions, givenText } from "./given.ts"
import { flagsOf, OPTION_NAMES, type OptionName, optionOf, optionsOf, shortFlagOf } from "./options.ts"
import { invisibleCharacter, isBoolean } from "./parse.ts"

export interface Argv {
  readonly given: GivenOptions
  readonly positionals: readonly string[]
}

/**
 * @param args the arguments after the command name
 * @throws OperatorError (usage)
 */
export function readArgv(command: Command, args: readonly string[]): Argv {
  const given = new Map<OptionName, Given>()
  const positionals: string[] = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--") {
      positionals.push(...args.slice(i + 1))
      break
    }
    if (!arg.startsWith("-") || arg === "-") {
      positionals.push(arg)
      continue
    }
    const { origin, attached } = split(arg)
    const name = nameOf(command, origin)
    const option = optionOf(name)
    const next = args[i + 1]
    let text: string
    if (attached !== undefined) text = attached
    else if (option.parser.kind === "boolean") text = next !== undefined && isBoolean(next) ? args[++i]! : "true"
    else if (next === undefined || next.startsWith("--"))
      throw usage(`${origin} requires a value: ${origin} ${option.value}`)
    else text = args[++i]!

    const before = given.get(name)
    if (before && !option.repeatable) throw usage(`${origin} is specified twice`)
    const added = givenText(name, { layer: "flag", origin, text })
    given.set(name, { layer: "flag", origin, text: before ? `${before.text},${added}` : added })
  }
  return { given, positionals: checkPositionals(command, positionals) }
}

/** `--flag=value`, `-d=30` and `-d30` have their value attached. */
function split(arg: string): { origin: string; attached: string | undefined } {
  const [, origin = arg, attached] = /^(--[^=]*|-[^-])=?(?<==)(.*)$/s.exec(arg) ?? /^(-[^-])(.+)$/s.exec(arg) ?? []
  return { origin, attached }
}

function nameOf(command: Command, flag: string): OptionName {
  const named = (name: OptionName) => shortFlagOf(name) === flag || flagsOf(name).some(known => `--${known}` === flag)
  const name = optionsOf(command).find(named)
  if (name) return name
  const elsewhere = OPTION_NAMES.find(named)
  const owners = elsewhere && optionOf(elsewhere).commands.join(", ")
  const hidden = invisibleCharacter(flag)
  if (hidden) throw usage(`the flag ${flag} has ${hidden}: remove it`)
  throw usage(
    owners
      ? `${command} has no flag ${flag}: it is a flag of ${owners}`
      : `unknown flag ${flag}: see quantus-miner ${command} --help`,
  )
}

function checkPositionals(command: Command, positionals: readonly string[]): readonly string[] {
  const { positionals: wanted = [] }: CommandInfo = COMMANDS[command]
  if (positionals.length === 0 || positionals.length === wanted.length) return positionals
  throw usage(
    wanted.length === 0
      ? `${command} accepts flags only, not "${positionals[0]!.slice(0, 100)}"`
      : `${command} accepts ${wanted.map(name => name.toUpperCase()).join(" ")} or no arguments, not ${positionals.length}`,
  )
}

function usage(message: string): OperatorError {
  return new OperatorError(message, ExitCode.usage)
}
