/** A configuration file as the reader of its format hands it on. */

/** A value, and the line that it stands on. */
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

/** The file is not well-formed. */
export class SyntaxFault extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message)
  }
}
