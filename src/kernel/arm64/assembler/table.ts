/**
 * Reads A64 instruction rows written in the manual's notation. A row has three or four columns, separated by two or more
 * blanks:
 *
 *   syntax                        encoding                           written  flags
 *   umlal Vd.2D, Vn.2S, Vm.2S     00101110101mmmmm100000nnnnnddddd   +d
 *   adds Xd, Xn, Xm               10101011000mmmmm000000nnnnnddddd   d        w
 *
 * A lower-case letter of the syntax after a register's kind, or after `#`, is an operand; the same letter of the encoding
 * is its field. A field of `j` holds the bits of operand `i` above those of the field `i`. `#i*8` means that the field holds
 * an eighth of the number, `#64-i` that it holds 64 less the number. "written" names the operands that the instruction
 * writes, `+` those that it also reads; all others are read.
 */

export type RegisterFile = "integer" | "vector"

/** What an operand stands for, in the order of the syntax. */
export type OperandPattern =
  | {
      readonly kind: "register"
      readonly file: RegisterFile
      readonly letter: string
      readonly read: boolean
      readonly write: boolean
    }
  | { readonly kind: "number"; readonly letter: string; readonly scale: number; readonly from: number | undefined }
  | { readonly kind: "label"; readonly letter: string }

export interface Form {
  /** The syntax as written; forms are known by it. */
  readonly syntax: string
  readonly mnemonic: string
  readonly operands: readonly OperandPattern[]
  /** The bits that do not vary. */
  readonly fixed: number
  /** Bit positions of each letter's field, the most significant first. */
  readonly fields: ReadonlyMap<string, readonly number[]>
  readonly flags: { readonly read: boolean; readonly write: boolean }
}

/** @throws Error naming the row, if one is malformed or contradicts itself */
export function parseTable(text: string): Map<string, Form> {
  const table = new Map<string, Form>()
  for (const line of text.split("\n")) {
    const row = line.replace(/ \/\/.*|^\/\/.*/, "").trim()
    if (!row) continue
    const form = parseRow(row)
    if (table.has(form.syntax)) throw new Error(`instruction row "${row}": written twice`)
    table.set(form.syntax, form)
  }
  return table
}

const OPERAND = /(?<!\w)([XWVQD])([a-z])(?![a-z])|#(?:(\d+)-)?([a-z])(?:\*(\d+))?|\[([a-z])\]|\b(label)\b/g

function parseRow(row: string): Form {
  const fail = (why: string): never => {
    throw new Error(`instruction row "${row}": ${why}`)
  }
  const [syntax = "", bits = "", written = "-", flags = "-", ...rest] = row.split(/\s{2,}/)
  if (rest.length > 0) fail("too many columns")
  if (!/^[01a-z]{32}$/.test(bits)) fail(`${bits.length} bits`)
  if (!/^(-|\+?[a-z](,\+?[a-z])*)$/.test(written)) fail(`cannot read "${written}"`)
  const fields = new Map<string, number[]>()
  let fixed = 0
  ;[...bits].forEach((bit, i) => {
    if (bit === "1") fixed += 2 ** (31 - i)
    else if (bit !== "0") fields.set(bit, [...(fields.get(bit) ?? []), 31 - i])
  })
  const access = new Map(
    written === "-" ? [] : written.split(",").map(name => [name.replace("+", ""), name.startsWith("+")] as const),
  )
  const operands = [...syntax.slice(syntax.indexOf(" ") + 1).matchAll(OPERAND)].map((match): OperandPattern => {
    const [, kind, register, from, number, scale, index, label] = match
    if (label) return { kind: "label", letter: "i" }
    if (kind && register) {
      const reads = access.get(register)
      const file = /[XW]/.test(kind) ? "integer" : "vector"
      return { kind: "register", file, letter: register, read: reads !== false, write: reads !== undefined }
    }
    return {
      kind: "number",
      letter: (number ?? index)!,
      scale: scale ? Number(scale) : 1,
      from: from ? Number(from) : undefined,
    }
  })
  const letters = operands.map(({ letter }) => letter)
  for (const letter of fields.keys())
    if (letter !== "j" && !letters.includes(letter)) fail(`field ${letter} has no operand`)
  for (const letter of letters) if (!fields.has(letter)) fail(`operand ${letter} has no field`)
  for (const letter of access.keys()) if (!letters.includes(letter)) fail(`${letter} is written but no operand`)
  for (const operand of operands)
    if (operand.kind === "register" && fields.get(operand.letter)!.length !== 5)
      fail(`register ${operand.letter} has no 5 bits`)
  return {
    syntax,
    mnemonic: syntax.split(" ")[0]!,
    operands,
    fixed,
    fields,
    flags: { read: flags.includes("r"), write: flags.includes("w") },
  }
}
