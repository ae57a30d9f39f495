/**
 * Reads a configuration file, TOML or JSON by content: options by key, and `[[source]]` tables with the options of one
 * source. Strings expand `${VAR}` and `${VAR:-default}`; `$$` is a dollar sign. Every error names the file, the line and
 * the key.
 */
import { dirname, resolve } from "node:path"
import type { Environment } from "../environment.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { type Entry, SyntaxFault, type Value } from "./entries.ts"
import { type Given, type GivenOptions, givenText } from "./given.ts"
import { fileKeyOf, OPTION_NAMES, type OptionName, optionOf } from "./options.ts"
import { invisibleCharacter, type Kind } from "./parse.ts"

/** The content of the file; values are not parsed yet. */
export interface ConfigFile {
  readonly given: GivenOptions
  /** The `[[source]]` tables in order. */
  readonly sources: readonly FileSource[]
}

export interface FileSource {
  /** `miner.toml:7: [[source]]` */
  readonly origin: string
  readonly given: GivenOptions
}

const SOURCE = "source"

/**
 * @param path as specified by the operator; relative paths in the file are resolved against its directory
 * @throws OperatorError (config)
 */
export async function readConfigFile(path: string, content: string, env: Environment): Promise<ConfigFile> {
  const entries = (await parseEntries(path, content)).map(entry => expanded(path, entry, env))
  const sources = entries.filter(entry => entry.key === SOURCE)
  return {
    given: readTable(
      path,
      entries.filter(entry => entry.key !== SOURCE),
    ),
    sources: sources.flatMap(entry => readSources(path, entry)),
  }
}

async function parseEntries(path: string, content: string): Promise<readonly Entry[]> {
  // A parser is loaded only if a file in its format is used.
  const { parseEntries } = isJson(path, content) ? await import("./json-entries.ts") : await import("./toml-entries.ts")
  try {
    return parseEntries(content)
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    throw fault(`${path}:${error.line}`, error.message)
  }
}

/** A leading brace means JSON. The extension decides only if the content is ambiguous, to report the likelier error. */
function isJson(path: string, content: string): boolean {
  const start = content.replace(/^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*/, "")
  return start.startsWith("{") || (path.endsWith(".json") && !/^(?:#|\[{1,2}[A-Za-z_]|[\w-]+\s*=)/.test(start))
}

function expanded(path: string, entry: Entry, env: Environment): Entry {
  const expand = (value: Value): Value => {
    if (value.kind === "list") return { ...value, items: value.items.map(expand) }
    if (value.kind === "table") return { ...value, entries: value.entries.map(inner => expanded(path, inner, env)) }
    return value.kind === "text" ? { ...value, text: expandVariables(value.text) } : value
  }
  const expandVariables = (text: string) =>
    text.replace(/\$\$|\$\{([^}]*)\}/g, (match, inside?: string) => {
      if (inside === undefined) return "$"
      const [, name, standard] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside) ?? []
      const origin = `${path}:${entry.line}: ${entry.key}`
      if (name === undefined)
        throw fault(origin, `contains ${match}: write \${VAR}, \${VAR:-default}, or $$ for a dollar sign`)
      const value = env[name] || standard
      if (value === undefined) throw fault(origin, `refers to the variable ${name}, which is not set`)
      return value
    })
  return { ...entry, value: expand(entry.value) }
}

function readSources(path: string, { value, line }: Entry): FileSource[] {
  const tables = value.kind === "list" ? value.items : [value]
  return tables.map(table => {
    const origin = `${path}:${table.kind === "table" ? table.line : line}: [[${SOURCE}]]`
    if (table.kind !== "table") throw fault(origin, "must be a table of options")
    const given = readTable(path, table.entries, true)
    if (!given.has("url")) throw fault(origin, "has no url")
    return { origin, given }
  })
}

function readTable(path: string, entries: readonly Entry[], inSource = false): Map<OptionName, Given> {
  const given = new Map<OptionName, Given>()
  for (const { key, line, value } of entries) {
    const origin = `${path}:${line}: ${key}`
    const name = OPTION_NAMES.find(name => fileKeyOf(name) === key && (!inSource || optionOf(name).perSource))
    if (!name) throw fault(origin, unknownKey(key, inSource))
    if (given.has(name)) throw fault(origin, "is specified twice")
    given.set(name, { layer: "file", origin, text: textOf(path, origin, name, value, inSource) })
  }
  return given
}

function unknownKey(key: string, inSource: boolean): string {
  const known = OPTION_NAMES.filter(name => !inSource || optionOf(name).perSource).flatMap(
    name => fileKeyOf(name) ?? [],
  )
  const hidden = invisibleCharacter(key)
  if (hidden) return `has ${hidden}: remove it`
  const underscored = key.replaceAll("-", "_")
  if (known.includes(underscored)) return `is unknown: write ${underscored}`
  return inSource
    ? `is unknown: the keys of a source are ${known.join(", ")}`
    : "is unknown: keys are flags with underscores, such as cpu_workers"
}

function textOf(path: string, origin: string, name: OptionName, value: Value, inSource: boolean): string {
  const { parser, repeatable } = optionOf(name)
  const textIn = (value: Value) =>
    givenText(name, { layer: "file", origin, text: scalarText(origin, value, parser.kind) })
  if (repeatable && !inSource && value.kind === "list") return value.items.map(textIn).join(",")
  const text = textIn(value)
  return parser.kind === "path" && text !== "" ? resolve(dirname(path), text) : text
}

function scalarText(origin: string, value: Value, kind: Kind): string {
  const fits = {
    text: value.kind === "text",
    path: value.kind === "text",
    boolean: value.kind === "boolean",
    // Durations such as "10s" and numbers beyond 2^53 are strings.
    number: value.kind === "number" || value.kind === "text",
  }[kind]
  if (fits && "text" in value) return value.text
  throw fault(
    origin,
    `must be ${{ text: "a quoted string", path: "a quoted path", boolean: "true or false", number: "a number" }[kind]}`,
  )
}

function fault(origin: string, message: string): OperatorError {
  return new OperatorError(`${origin} ${message}`, ExitCode.config)
}
