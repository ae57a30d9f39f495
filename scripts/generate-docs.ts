/** Writes the generated tables of the documents: `npm run docs`. */
import { join } from "node:path"
import {
  CATEGORIES,
  flagsOf,
  OPTION_NAMES,
  type OptionName,
  optionOf,
  optionsOf,
  shortFlagOf,
  variablesOf,
} from "../src/config/options.ts"
import { EXIT_MEANINGS, ExitCode } from "../src/errors.ts"
import { countsTable, cyclesTable } from "./arm64-tables.ts"
import { fillBlock, markdownTable } from "./document-blocks.ts"

export interface GeneratedTable {
  /** Path of the document, relative to the project root. */
  readonly path: string
  /** Name of the block. */
  readonly block: string
  readonly table: () => string
}

export const TABLES: readonly GeneratedTable[] = [
  { path: "systemd/readme.md", block: "options", table: serviceTable },
  { path: "docs/options.md", block: "options", table: optionTables },
  { path: "README.md", block: "exit codes", table: exitTable },
  { path: "docs/arm64.md", block: "counts", table: countsTable },
  { path: "docs/arm64.md", block: "cycles", table: cyclesTable },
]

/** All options by category, with flags, variables, default, commands and help. */
function optionTables(): string {
  const categories = Object.keys(CATEGORIES) as (keyof typeof CATEGORIES)[]
  return categories
    .map(category => {
      const rows = OPTION_NAMES.filter(name => optionOf(name).category === category).map(optionRow)
      return `## ${CATEGORIES[category]}\n\n${markdownTable(["Option", "Variable", "Default", "Commands", "Meaning"], rows)}`
    })
    .join("\n\n")
}

function optionRow(name: OptionName): string[] {
  const { value, commands, help } = optionOf(name)
  const flags = flagsOf(name).map(flag => code(value === undefined ? `--${flag}` : `--${flag} ${value}`))
  const short = shortFlagOf(name)
  if (short) flags.unshift(code(short))
  return [flags.join(", "), variables(name), standard(name), commands.join(", "), help]
}

/** The variables of `serve`, which configure the service. */
function serviceTable(): string {
  const names = optionsOf("serve").filter(name => variablesOf(name).length > 0)
  const rows = names.map(name => [
    variables(name),
    code(optionOf(name).value ?? "yes|no"),
    standard(name),
    optionOf(name).help,
  ])
  return markdownTable(["Variable", "Value", "Default", "Meaning"], rows)
}

function exitTable(): string {
  const rows = Object.entries(ExitCode).map(([name, code]) => [
    String(code),
    EXIT_MEANINGS[name as keyof typeof ExitCode],
  ])
  return markdownTable(["Exit code", "Meaning"], rows)
}

function variables(name: OptionName): string {
  return variablesOf(name).map(code).join(", ")
}

function standard(name: OptionName): string {
  const { default: text } = optionOf(name)
  return text === undefined ? "" : code(text)
}

function code(text: string): string {
  return `\`${text}\``
}

if (import.meta.main) {
  for (const { path, block, table } of TABLES) {
    const file = Bun.file(join(import.meta.dir, "..", path))
    await file.write(fillBlock(await file.text(), block, table()))
  }
}
