/** The content of a configuration file, independent of its format. */

/** A key with its value and line. */
export interface Entry {
  readonly key: string
  readonly line: number
  readonly value: Value
}

export type Value =
  | { readonly kind: "text" | "number" | "other"; readonly text: string }
  | { readonly kind: "boolean"; readonly text: "true" | "false" }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | { readonly kind: "table"; readonly line: number; readonly entries: readonly Entry[] }

/** A syntax error in a configuration file, with its line. */
export class SyntaxFault extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message)
  }
}
