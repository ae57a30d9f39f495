/** A value as the operator specified it, with its origin for error messages. */
import { ExitCode, OperatorError } from "../errors.ts"
import { type OptionName, optionOf } from "./options.ts"
import { invisibleCharacter, Malformed, type Parser } from "./parse.ts"

/** Flags take precedence over variables, variables over the file. */
export type Layer = "flag" | "variable" | "file"

export type GivenOptions = ReadonlyMap<OptionName, Given>

/** The specified options by layer. */
export type Layers = Readonly<Record<Layer, GivenOptions>>

export interface Given {
  readonly layer: Layer
  /** `--node-addr`, `MINER_NODE_ADDR`, `miner.toml:3: node_addr`. */
  readonly origin: string
  readonly text: string
}

/**
 * The text of a value as it enters. It has no invisible character, which an operator could not find in an error and a
 * server would not accept; a secret may end with the newline of the file that it was copied from.
 * @throws OperatorError naming the character and its position
 */
export function givenText(name: OptionName, { layer, origin, text }: Given): string {
  const { parser, secret } = optionOf(name)
  const hidden = invisibleCharacter(secret ? text.replace(/\n+$/, "") : text, parser.kind)
  if (hidden) throw givenError({ layer }, `${origin} has ${hidden}: remove it`)
  return text
}

/** @throws OperatorError naming the origin, and the value unless it is secret */
export function parseGiven<T>(given: Given, parser: Parser<T>, secret = false): T {
  const { text, origin } = given
  if (text.trim() === "") throw givenError(given, `${origin} is empty`)
  try {
    return parser.parse(text)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    throw givenError(given, `${origin} must be ${error.wanted}${secret ? "" : `, not "${shown(text)}"`}`)
  }
}

/** Exit code 64 (usage) for flags and variables, 78 (config) for a file. */
export function givenError({ layer }: Pick<Given, "layer">, message: string): OperatorError {
  return new OperatorError(message, layer === "file" ? ExitCode.config : ExitCode.usage)
}

/** The text on one line, at most 100 characters, with URL credentials removed. */
function shown(text: string): string {
  const line = JSON.stringify(text.replace(/\/\/[^/]*@/g, "//…@")).slice(1, -1)
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
