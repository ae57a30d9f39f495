/** Assembles instructions with labels, followed by data words. */
import { FORMS } from "./instructions.ts"
import type { Form, OperandPattern, RegisterFile } from "./table.ts"

/** A register. Numbers from `VIRTUAL` on are virtual: the allocator assigns them. x31 is the zero register. */
export interface Register {
  readonly file: RegisterFile
  readonly n: number
}

/** A position in the code or data, bound once. */
export interface Label {
  readonly name: string
}

export type Operand = Register | Label | number

export const VIRTUAL = 32

const registers = (file: RegisterFile) => Array.from({ length: 32 }, (_, n): Register => ({ file, n }))
const INTEGERS = registers("integer")
const VECTORS = registers("vector")
export const x = (n: number): Register => INTEGERS[n]!
export const v = (n: number): Register => VECTORS[n]!
/** Reads as 0. */
export const ZERO = x(31)

/** Returns the form with this syntax. @throws Error if the table lacks it */
export function formOf(syntax: string): Form {
  const form = FORMS.get(syntax)
  if (!form) throw new Error(`no instruction ${syntax}`)
  return form
}

/**
 * Encodes an instruction over hardware registers. @returns its 32 bits
 * @param distance bytes from the instruction to a label
 * @throws RangeError if an operand does not fit
 */
export function encode(form: Form, operands: readonly Operand[], distance: (label: Label) => number = () => 0): number {
  const fail = (why: string): never => {
    throw new RangeError(`${form.syntax}: ${why}`)
  }
  if (operands.length !== form.operands.length) fail(`${operands.length} operands`)
  let code = form.fixed
  form.operands.forEach((pattern, k) => {
    const value = fieldOf(pattern, operands[k]!, form, distance, fail)
    const places = [
      ...(form.fields.get("j") && pattern.letter === "i" ? form.fields.get("j")! : []),
      ...form.fields.get(pattern.letter)!,
    ]
    const isSigned = pattern.kind === "label" || (form.mnemonic.endsWith("p") && pattern.kind === "number")
    const [min, max] = isSigned ? [-(2 ** (places.length - 1)), 2 ** (places.length - 1)] : [0, 2 ** places.length]
    if (!Number.isInteger(value) || value < min || value >= max) fail(`${value} does not fit into operand ${k}`)
    places.forEach((place, i) => {
      if (Math.floor(value / 2 ** (places.length - 1 - i)) & 1) code += 2 ** place
    })
  })
  return code >>> 0
}

function fieldOf(
  pattern: OperandPattern,
  operand: Operand,
  form: Form,
  distance: (label: Label) => number,
  fail: (why: string) => never,
): number {
  if (pattern.kind === "label") {
    if (typeof operand !== "object" || !("name" in operand)) return fail("expected a label")
    return form.mnemonic === "adr" ? distance(operand) : distance(operand) / 4
  }
  if (pattern.kind === "number") {
    if (typeof operand !== "number") return fail("expected a number")
    return pattern.from === undefined ? operand / pattern.scale : pattern.from - operand
  }
  if (typeof operand !== "object" || !("file" in operand) || operand.file !== pattern.file)
    return fail(`expected a register of file ${pattern.file}`)
  return operand.n
}

/** Returns the instruction as llvm-mc prints it, with labels as distances. */
export function format(form: Form, operands: readonly Operand[], distance: (label: Label) => number = () => 0): string {
  let k = 0
  return form.syntax
    .replace(
      /(?<= )(?:(?<![\w.])[XWVQD][a-z](?![a-z])|#(?:\d+-)?[a-z](?:\*\d+)?|label\b)|\[[a-z]\]|(?<=\[)X[a-z]/g,
      text => {
        const operand = operands[k++]!
        if (typeof operand === "number") return text.startsWith("[") ? `[${operand}]` : `#${operand}`
        if ("name" in operand) return `#${distance(operand)}`
        if (operand.n === 31 && operand.file === "integer") return `${text[0]}zr`
        return `${text[0]}${operand.n}`
      },
    )
    .toLowerCase()
}

interface Placed {
  readonly form: Form
  readonly operands: readonly Operand[]
}

export class Assembler {
  readonly #code: Placed[] = []
  readonly #labels = new Map<Label, number>()
  readonly #data: { readonly label: Label; readonly words: readonly bigint[] }[] = []

  emit(form: Form, operands: readonly Operand[]): void {
    this.#code.push({ form, operands })
  }

  bind(label: Label): void {
    this.#labels.set(label, 4 * this.#code.length)
  }

  /** Appends 64-bit words after the code, at a multiple of 16 bytes. */
  data(label: Label, words: readonly bigint[]): void {
    this.#data.push({ label, words })
  }

  /** Bytes of instructions so far. */
  get length(): number {
    return 4 * this.#code.length
  }

  /** @throws Error if the label was never bound */
  offsetOf(label: Label): number {
    const offset = this.#labels.get(label)
    if (offset === undefined) throw new Error(`label ${label.name} is not bound`)
    return offset
  }

  /** Binds the labels of data. @returns the code, then the data */
  finish(): Uint8Array {
    let size = Math.ceil(this.length / 64) * 64
    for (const { label, words } of this.#data) {
      this.#labels.set(label, size)
      size += Math.ceil((8 * words.length) / 16) * 16
    }
    const bytes = new Uint8Array(size)
    const view = new DataView(bytes.buffer)
    this.#code.forEach(({ form, operands }, i) => {
      view.setUint32(
        4 * i,
        encode(form, operands, label => this.offsetOf(label) - 4 * i),
        true,
      )
    })
    for (const { label, words } of this.#data)
      for (const [i, word] of words.entries())
        view.setBigUint64(this.offsetOf(label) + 8 * i, BigInt.asUintN(64, word), true)
    return bytes
  }

  /** Returns the instructions from one label to another, as text. */
  listing(from: Label, to?: Label): string[] {
    const end = to ? this.offsetOf(to) : this.length
    return this.#code
      .slice(this.offsetOf(from) / 4, end / 4)
      .map(({ form, operands }, i) =>
        format(form, operands, label => this.offsetOf(label) - this.offsetOf(from) - 4 * i),
      )
  }
}
