/** Shell completion scripts, generated from the command and option tables. */
import { COMMANDS, type Command } from "./commands.ts"
import { flagsOf, type OptionName, optionOf, optionsOf } from "./options.ts"

/** The scripts by the name of their shell. */
export const COMPLETIONS: Readonly<Record<string, () => string>> = { bash, zsh, fish }

const PROGRAM = "quantus-miner"
const commands = Object.keys(COMMANDS) as Command[]

/** What a shell offers for the value of an option; undefined for a boolean, which has none. */
type Values = { readonly kind: "files" } | { readonly kind: "words"; readonly words: readonly string[] } | undefined

function valuesOf(name: OptionName): Values {
  const { parser, suggestions, value } = optionOf(name)
  if (value === undefined) return undefined
  if (parser.kind === "path") return { kind: "files" }
  return { kind: "words", words: parser.choices ?? suggestions ?? [] }
}

/** The flags of a command with their option. */
function flagsIn(command: Command): { flag: string; name: OptionName }[] {
  return optionsOf(command).flatMap(name => flagsOf(name).map(flag => ({ flag, name })))
}

function bash(): string {
  const values = commands.flatMap(command =>
    flagsIn(command).flatMap(({ flag, name }) => {
      const offered = valuesOf(name)
      if (!offered) return []
      const reply =
        offered.kind === "files"
          ? `compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))`
          : `COMPREPLY=($(compgen -W "${offered.words.join(" ")}" -- "$cur"))`
      return [`    ${command}:--${flag}) ${reply}; return ;;`]
    }),
  )
  const flags = commands.map(command => {
    const words = [...flagsIn(command).map(({ flag }) => `--${flag}`), "--help"]
    const positionals = command === "completions" ? [...Object.keys(COMPLETIONS), ...words] : words
    return `    ${command}) COMPREPLY=($(compgen -W "${positionals.join(" ")}" -- "$cur")) ;;`
  })
  return lines(
    `# bash completion of ${PROGRAM}`,
    "_quantus_miner() {",
    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}",
    "  COMPREPLY=()",
    "  # bash splits --flag=value into three words.",
    "  if [[ $cur == = ]]; then cur=",
    "  elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi",
    "  if ((COMP_CWORD == 1)); then",
    `    COMPREPLY=($(compgen -W "${commands.join(" ")} --help --version" -- "$cur"))`,
    "    return",
    "  fi",
    '  case "${COMP_WORDS[1]}:$prev" in',
    ...values,
    "  esac",
    '  case "${COMP_WORDS[1]}" in',
    ...flags,
    "  esac",
    "}",
    `complete -F _quantus_miner ${PROGRAM}`,
  )
}

function zsh(): string {
  const described = commands.map(command =>
    quoted(`${command}:${COMMANDS[command].description.replaceAll(":", "\\:")}`),
  )
  const cases = commands.map(command => {
    const specs = flagsIn(command).map(({ flag, name }) => {
      const { help, value, repeatable } = optionOf(name)
      const text = `[${help.replace(/[[\]\\]/g, "\\$&")}]`
      const offered = valuesOf(name)
      const message = `:${value?.replaceAll(":", "\\:")}:`
      const values = !offered ? "" : message + (offered.kind === "files" ? "_files" : `(${offered.words.join(" ")})`)
      return quoted(`${repeatable ? "*" : ""}--${flag}${value === undefined ? "" : "="}${text}${values}`)
    })
    const positional = command === "completions" ? [quoted(`:shell:(${Object.keys(COMPLETIONS).join(" ")})`)] : []
    return `    ${command}) _arguments ${[...specs, ...positional, "'--help[Print the usage]'"].join(" ")} ;;`
  })
  return lines(
    `#compdef ${PROGRAM}`,
    "_quantus_miner() {",
    "  local -a commands",
    `  commands=(${described.join(" ")})`,
    "  if ((CURRENT == 2)); then",
    "    _describe command commands",
    "    return",
    "  fi",
    "  shift words",
    "  ((CURRENT--))",
    "  case $words[1] in",
    ...cases,
    "  esac",
    "}",
    // Autoloaded from a function file, the file's body is the function; sourced, it must register it.
    'if [[ $funcstack[1] == _quantus-miner ]]; then _quantus_miner "$@"; else compdef _quantus_miner quantus-miner; fi',
  )
}

function fish(): string {
  const subcommands = commands.map(
    command =>
      `complete -c ${PROGRAM} -f -n __fish_use_subcommand -a ${command} -d ${quoted(COMMANDS[command].description)}`,
  )
  const flags = commands.flatMap(command =>
    flagsIn(command).map(({ flag, name }) => {
      const offered = valuesOf(name)
      const values = !offered ? "" : offered.kind === "files" ? " -r -F" : ` -x -a ${quoted(offered.words.join(" "))}`
      const help = quoted(optionOf(name).help)
      return `complete -c ${PROGRAM} -f -n '__fish_seen_subcommand_from ${command}' -l ${flag}${values} -d ${help}`
    }),
  )
  const shells = `complete -c ${PROGRAM} -f -n '__fish_seen_subcommand_from completions' -a '${Object.keys(COMPLETIONS).join(" ")}'`
  return lines(`# fish completion of ${PROGRAM}`, ...subcommands, ...flags, shells)
}

/** In single quotes, as bash, zsh and fish read them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function lines(...texts: readonly string[]): string {
  return `${texts.join("\n")}\n`
}
