/** Parses TOML to entries with lines. */
import { type AST, ParseError, parseTOML } from "toml-eslint-parser"
import { type Entry, SyntaxFault, type Value } from "./entries.ts"

/** @throws SyntaxFault */
export function parseEntries(content: string): readonly Entry[] {
  const root = parse(content).body[0]
  const entries: Entry[] = []
  const lists = new Map<string, Value[]>()
  for (const node of root.body) {
    if (node.type === "TOMLKeyValue") {
      entries.push(keyValue(node))
      continue
    }
    const key = keyText(node.key)
    const { line } = node.loc.start
    const table: Value = { kind: "table", line, entries: node.body.map(keyValue) }
    const list = lists.get(key)
    if (list) list.push(table)
    else if (node.kind === "array") {
      const items = [table]
      lists.set(key, items)
      entries.push({ key, line, value: { kind: "list", items } })
    } else entries.push({ key, line, value: table })
  }
  return entries
}

function parse(content: string): AST.TOMLProgram {
  try {
    return parseTOML(content)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw new SyntaxFault(`is not TOML: ${error.message.toLowerCase()}`, error.lineNumber)
  }
}

function keyValue({ key, value, loc }: AST.TOMLKeyValue): Entry {
  return { key: keyText(key), line: loc.start.line, value: toValue(value) }
}

function keyText(key: AST.TOMLKey): string {
  return key.keys.map(part => (part.type === "TOMLBare" ? part.name : part.value)).join(".")
}

function toValue(node: AST.TOMLContentNode): Value {
  if (node.type === "TOMLArray") return { kind: "list", items: node.elements.map(toValue) }
  if (node.type === "TOMLInlineTable") {
    return { kind: "table", line: node.loc.start.line, entries: node.body.map(keyValue) }
  }
  switch (node.kind) {
    case "string":
      return { kind: "text", text: node.value }
    case "boolean":
      return { kind: "boolean", text: node.value ? "true" : "false" }
    case "integer":
      return { kind: "number", text: String(node.bigint) }
    case "float":
      return { kind: "number", text: String(node.value) }
    default:
      return { kind: "other", text: "" }
  }
}
