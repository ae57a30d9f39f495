/**
 * Parses A64 instruction forms in the manual's notation. A line describes one form in two to four fields, separated by two
 * or more spaces:
 *
 *   syntax                        encoding                           written  flags
 *   umlal Vd.2D, Vn.2S, Vm.2S     00101110101mmmmm100000nnnnnddddd   +d
 *   adds Xd, Xn, Xm               10101011000mmmmm000000nnnnnddddd   d        w
 *
 * A lower-case letter of the syntax after a register's kind, or after `#`, is an operand. The same letter in the encoding
 * marks the operand's bits. The bits `j` hold those of operand `i` above the bits `i`. `#i*8` means that the bits hold
 * the number divided by 8, `#64-i` that they hold 64 minus the number. "written" lists the operands that the instruction writes; `+` marks those that it also reads. It reads all others. "flags" is `r` if
 * the instruction reads the flags and `w` if it writes them. `[Xn, #i*8]` is one operand: memory, which instructions named
 * `ld…` read and `st…` write.
 */
import type { RegisterFile } from "../../compiler/architecture.ts"

/** An operand of a form. */
export type OperandPattern =
  | {
      readonly kind: "register"
      readonly file: RegisterFile
      readonly letter: string
      readonly read: boolean
      readonly write: boolean
    }
  | {
      readonly kind: "memory"
      /** The base register's letter. */
      readonly letter: string
      /** The letter and the scale of the displacement. */
      readonly displacement: string
      readonly scale: number
      readonly read: boolean
      readonly write: boolean
    }
  | { readonly kind: "number"; readonly letter: string; readonly scale: number; readonly from: number | undefined }
  | { readonly kind: "label"; readonly letter: string }

export interface Form {
  /** The syntax, which identifies the form. */
  readonly syntax: string
  readonly mnemonic: string
  readonly operands: readonly OperandPattern[]
  /** The constant bits. */
  readonly fixed: number
  /** Bit positions of each letter, the most significant first. */
  readonly fields: ReadonlyMap<string, readonly number[]>
  readonly flags: { readonly read: boolean; readonly write: boolean }
}

/** Parses a table of forms. @throws Error with the line if it is malformed or contradicts itself */
export function parseTable(text: string): Map<string, Form> {
  const table = new Map<string, Form>()
  for (const line of text.split("\n")) {
    const text = line.replace(/ \/\/.*|^\/\/.*/, "").trim()
    if (!text) continue
    const form = parseForm(text)
    if (table.has(form.syntax)) throw new Error(`instruction form "${text}": duplicate`)
    table.set(form.syntax, form)
  }
  return table
}

const OPERAND =
  /\[X([a-z]), #([a-z])\*(\d+)\]|(?<!\w)([XWVQDZ])([a-z])(?![a-z])|#(?:(\d+)-)?([a-z])(?:\*(\d+))?|\[([a-z])\]|\b(label)\b/g

function parseForm(line: string): Form {
  const fail = (why: string): never => {
    throw new Error(`instruction form "${line}": ${why}`)
  }
  const [syntax = "", bits = "", written = "-", flags = "-", ...rest] = line.split(/\s{2,}/)
  if (rest.length > 0) fail("too many fields")
  if (!/^[01a-z]{32}$/.test(bits)) fail(`the encoding "${bits}" does not have 32 bits`)
  if (!/^(-|\+?[a-z](,\+?[a-z])*)$/.test(written)) fail(`cannot parse "${written}"`)
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
    const [, base, displacement, bytes, kind, register, from, number, scale, index, label] = match
    if (label) return { kind: "label", letter: "i" }
    if (base && displacement) {
      const write = syntax.startsWith("st")
      return { kind: "memory", letter: base, displacement, scale: Number(bytes), read: !write, write }
    }
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
  const letters = operands.flatMap(operand =>
    operand.kind === "memory" ? [operand.letter, operand.displacement] : [operand.letter],
  )
  for (const letter of fields.keys())
    if (letter !== "j" && !letters.includes(letter)) fail(`field ${letter} has no operand`)
  for (const letter of letters) if (!fields.has(letter)) fail(`operand ${letter} has no field`)
  for (const letter of access.keys()) if (!letters.includes(letter)) fail(`${letter} is written but is not an operand`)
  for (const operand of operands)
    if ((operand.kind === "register" || operand.kind === "memory") && fields.get(operand.letter)!.length !== 5)
      fail(`register ${operand.letter} does not have 5 bits`)
  return {
    syntax,
    mnemonic: syntax.split(" ")[0]!,
    operands,
    fixed,
    fields,
    flags: { read: flags.includes("r"), write: flags.includes("w") },
  }
}
