/** Parses JSON, which may contain comments, to entries with lines. */
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser"
import { type Entry, SyntaxFault, type Value } from "./entries.ts"

/** @throws SyntaxFault */
export function parseEntries(content: string): readonly Entry[] {
  const errors: ParseError[] = []
  const root = parseTree(content, errors)
  const lineAt = (offset: number) => content.slice(0, offset).split("\n").length
  const [error] = errors
  if (error) throw new SyntaxFault(`is not JSON: ${words(printParseErrorCode(error.error))}`, lineAt(error.offset))
  if (root?.type !== "object") throw new SyntaxFault("must be an object of options", 1)
  return toEntries(root)

  function toEntries(object: Node): Entry[] {
    return (object.children ?? []).map(({ children, offset }) => ({
      key: String(children![0]!.value),
      line: lineAt(offset),
      value: toValue(children![1]!),
    }))
  }

  function toValue(node: Node): Value {
    const text = content.slice(node.offset, node.offset + node.length)
    switch (node.type) {
      case "string":
        return { kind: "text", text: String(node.value) }
      case "number":
        return { kind: "number", text }
      case "boolean":
        return { kind: "boolean", text: node.value ? "true" : "false" }
      case "array":
        return { kind: "list", items: (node.children ?? []).map(toValue) }
      case "object":
        return { kind: "table", line: lineAt(node.offset), entries: toEntries(node) }
      default:
        return { kind: "other", text }
    }
  }
}

/** `CloseBraceExpected` as `close brace expected`. */
function words(code: string): string {
  return code.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`).trim()
}
