/**
 * Writes the tables of options into the documents that have them, from the one table in the code:
 * `bun scripts/generate-docs.ts`. What stands between the markers is replaced, the rest is left as it is.
 */
import { join } from "node:path"
import { flagsOf, OPTION_NAMES, type OptionName, optionOf, optionsOf, variablesOf } from "../src/config/options.ts"

/** Each document, from the project's root, and its table. */
export const DOCUMENTS: readonly { readonly path: string; readonly table: () => string }[] = [
  { path: "systemd/readme.md", table: serviceTable },
  { path: "README.md", table: flagTable },
]

const START = "<!-- options -->"
const END = "<!-- /options -->"

/** @throws Error where `text` has not both markers, in order */
export function fillTable(text: string, table: string): string {
  const start = text.indexOf(START)
  const end = text.indexOf(END, start)
  if (start < 0 || end < 0) throw new Error(`no ${START} … ${END}`)
  return `${text.slice(0, start)}${START}\n\n${table}\n\n${text.slice(end)}`
}

/** Every option: its flags, its variables, its default, the commands that know it, and its help. */
function flagTable(): string {
  const rows = OPTION_NAMES.map(name => {
    const { value, commands, help } = optionOf(name)
    const flags = flagsOf(name).map(flag => code(value === undefined ? `--${flag}` : `--${flag} ${value}`))
    return [flags.join(", "), variables(name), standard(name), commands.join(", "), help]
  })
  return markdownTable(["Option", "Variable", "Default", "Commands", "Meaning"], rows)
}

/** What a service is configured by: the variables of `serve`. */
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

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll("|", "\\|")).join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}

if (import.meta.main) {
  for (const { path, table } of DOCUMENTS) {
    const file = Bun.file(join(import.meta.dir, "..", path))
    await file.write(fillTable(await file.text(), table()))
  }
}
