/** The usage text: the option table for citty, which renders it, and line wrapping. */
import type { ArgsDef } from "citty"
import { COMMANDS, type Command, type CommandInfo } from "./commands.ts"
import { flagsOf, optionOf, optionsOf, shortFlagOf, variablesOf } from "./options.ts"

/** citty's argument definitions, from which it renders the usage text of a command. */
export function usageArgs(command: Command): ArgsDef {
  const args: ArgsDef = {}
  const { positionals = [] }: CommandInfo = COMMANDS[command]
  for (const name of positionals) args[name] = { type: "positional", required: false }
  for (const name of optionsOf(command)) {
    const { value, help, default: standard } = optionOf(name)
    const [flag, ...aliases] = flagsOf(name)
    const short = shortFlagOf(name)
    const others = [...(short ? [short] : []), ...aliases.map(alias => `--${alias}`), ...variablesOf(name)]
    const description = others.length > 0 ? `${help} [${others.join(", ")}]` : help
    // An option without a value is a boolean that is off by default.
    args[flag!] = value
      ? { type: "string", valueHint: value, description, ...(standard !== undefined && { default: standard }) }
      : { type: "boolean", description }
  }
  return args
}

/**
 * Wraps long lines of two-column text; continuation lines are indented to the second column.
 * @param columns the maximum width, exceeded only by a longer word
 */
export function wrapColumns(text: string, columns: number): string {
  return text
    .split("\n")
    .map(line => wrapLine(line.trimEnd(), columns))
    .join("\n")
}

function wrapLine(line: string, columns: number): string {
  if (Bun.stringWidth(line) <= columns) return line
  // The second column follows the first gap of two or more spaces.
  const first = /^ *\S+(?: \S+)* {2,}/.exec(line)?.[0] ?? ""
  const indent = " ".repeat(Bun.stringWidth(first))
  const lines: string[] = []
  let current = first
  for (const word of line.slice(first.length).split(" ")) {
    const fresh = current.trim() === "" || current === first
    const longer = fresh ? current + word : `${current} ${word}`
    if (!fresh && Bun.stringWidth(longer) > columns) {
      lines.push(current)
      current = indent + word
    } else current = longer
  }
  return [...lines, current].join("\n")
}
