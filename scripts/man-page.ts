/** The manual page, generated from the command and option tables: `bun scripts/man-page.ts > quantus-miner.1`. */
import { COMMANDS, type Command, type CommandInfo } from "../src/config/commands.ts"
import {
  CATEGORIES,
  flagsOf,
  OPTION_NAMES,
  type OptionName,
  optionOf,
  shortFlagOf,
  variablesOf,
} from "../src/config/options.ts"
import { EXIT_MEANINGS, ExitCode } from "../src/errors.ts"
import { version } from "../src/version.ts"

/** The page in man(7) macros. */
export function manPage(): string {
  return `${[
    `.TH QUANTUS-MINER 1 "" "quantus-miner ${version}" "User Commands"`,
    ".SH NAME",
    "quantus\\-miner \\- a miner for Quantus (QTC)",
    ".SH SYNOPSIS",
    ".B quantus\\-miner",
    ".I COMMAND",
    "[\\fIOPTION\\fR ...]",
    ".SH DESCRIPTION",
    "The miner takes jobs from a node or a pool, searches nonces on CPUs and GPUs, and returns verified seals.",
    "A flag overrides an environment variable, and a variable overrides the configuration file.",
    "The log goes to standard error, results go to standard output.",
    ".SH COMMANDS",
    ...(Object.keys(COMMANDS) as Command[]).flatMap(commandEntry),
    ".SH OPTIONS",
    ...(Object.keys(CATEGORIES) as (keyof typeof CATEGORIES)[]).flatMap(category => [
      `.SS ${CATEGORIES[category]}`,
      ...OPTION_NAMES.filter(name => optionOf(name).category === category).flatMap(optionEntry),
    ]),
    ".SH EXIT STATUS",
    ...Object.entries(ExitCode).flatMap(([name, code]) => [
      ".TP",
      String(code),
      roff(`${EXIT_MEANINGS[name as keyof typeof ExitCode]}.`),
    ]),
    ".SH FILES",
    ".TP",
    ".I /etc/default/quantus\\-miner",
    "Variables of the service.",
    ".TP",
    ".I ~/.local/state/quantus\\-miner",
    "Measurements kept between starts; the service keeps them in",
    ".IR /var/lib/quantus\\-miner .",
    ".SH SEE ALSO",
    ".BR systemd.exec (5),",
    ".BR systemctl (1)",
  ].join("\n")}\n`
}

function commandEntry(command: Command): string[] {
  const { description, positionals = [] }: CommandInfo = COMMANDS[command]
  const operands = positionals.map(name => ` \\fI${name.toUpperCase()}\\fR`).join("")
  return [".TP", `\\fB${command}\\fR${operands}`, roff(`${description}.`)]
}

function optionEntry(name: OptionName): string[] {
  const { value, help, default: standard, commands } = optionOf(name)
  const flags = flagsOf(name).map(flag => `\\fB\\-\\-${roff(flag)}\\fR${value ? ` \\fI${roff(value)}\\fR` : ""}`)
  const short = shortFlagOf(name)
  if (short) flags.unshift(`\\fB${roff(short)}\\fR`)
  const variables = variablesOf(name)
  const facts = [
    ...(value !== undefined && standard !== undefined ? [`Default: ${standard}.`] : []),
    ...(variables.length > 0 ? [`Variable: ${variables.join(", ")}.`] : []),
    `Commands: ${commands.join(", ")}.`,
  ]
  return [".TP", flags.join(", "), roff(`${help}.`), ...facts.map(roff)]
}

/** Escapes text for roff: backslashes and hyphens, and a period or an apostrophe at the start of a line. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&")
}

if (import.meta.main) process.stdout.write(manPage())
