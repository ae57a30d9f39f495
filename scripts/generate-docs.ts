/** Writes the option tables to the `options` blocks of the documents: `npm run docs`. */
import { join } from "node:path"
import { flagsOf, OPTION_NAMES, type OptionName, optionOf, optionsOf, variablesOf } from "../src/config/options.ts"
import { fillBlock, markdownTable } from "./document-blocks.ts"

/** Path of each document, relative to the project root, and its table. */
export const DOCUMENTS: readonly { readonly path: string; readonly table: () => string }[] = [
  { path: "systemd/readme.md", table: serviceTable },
  { path: "README.md", table: flagTable },
]

/** @throws Error unless `text` has an `options` block */
export const fillTable = (text: string, table: string): string => fillBlock(text, "options", table)

/** All options with flags, variables, default, commands and help. */
function flagTable(): string {
  const rows = OPTION_NAMES.map(name => {
    const { value, commands, help } = optionOf(name)
    const flags = flagsOf(name).map(flag => code(value === undefined ? `--${flag}` : `--${flag} ${value}`))
    return [flags.join(", "), variables(name), standard(name), commands.join(", "), help]
  })
  return markdownTable(["Option", "Variable", "Default", "Commands", "Meaning"], rows)
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
  for (const { path, table } of DOCUMENTS) {
    const file = Bun.file(join(import.meta.dir, "..", path))
    await file.write(fillTable(await file.text(), table()))
  }
}
