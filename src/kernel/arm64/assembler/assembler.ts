/** Assembles instructions with labels, followed by data words. */
import { FORMS } from "./instructions.ts"
import type { Label, Operand } from "./operands.ts"
import type { Form } from "./table.ts"

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
  const insert = (letter: string, value: number, isSigned: boolean) => {
    const places = [...((letter === "i" && form.fields.get("j")) || []), ...form.fields.get(letter)!]
    const [min, max] = isSigned ? [-(2 ** (places.length - 1)), 2 ** (places.length - 1)] : [0, 2 ** places.length]
    if (!Number.isInteger(value) || value < min || value >= max) fail(`${value} does not fit into field ${letter}`)
    places.forEach((place, i) => {
      if (Math.floor(value / 2 ** (places.length - 1 - i)) & 1) code += 2 ** place
    })
  }
  for (const [k, pattern] of form.operands.entries()) {
    const operand = operands[k]!
    const { letter } = pattern
    switch (pattern.kind) {
      case "label":
        if (operand.kind !== "label") return fail("expected a label")
        insert(letter, form.mnemonic === "adr" ? distance(operand) : distance(operand) / 4, true)
        break
      case "number": {
        if (operand.kind !== "immediate") return fail("expected a number")
        const value = Number(operand.value)
        insert(letter, pattern.from === undefined ? value / pattern.scale : pattern.from - value, false)
        break
      }
      case "memory":
        if (operand.kind !== "memory" || !operand.base) return fail("expected memory")
        insert(letter, operand.base.n, false)
        insert(pattern.displacement, operand.displacement / pattern.scale, form.mnemonic.endsWith("p"))
        break
      case "register":
        if (operand.kind !== "register" || operand.class !== pattern.file)
          return fail(`expected a register of file ${pattern.file}`)
        insert(letter, operand.n, false)
    }
  }
  return code >>> 0
}

/** Returns the instruction as llvm-mc prints it, with labels as distances. */
export function format(form: Form, operands: readonly Operand[], distance: (label: Label) => number = () => 0): string {
  let k = 0
  return form.syntax
    .replace(
      /(?<= )(?:\[X[a-z], #[a-z]\*\d+\]|(?<![\w.])[XWVQDZ][a-z](?![a-z])|#(?:\d+-)?[a-z](?:\*\d+)?|label\b)|\[[a-z]\]/g,
      text => formatOperand(text, operands[k++]!, distance),
    )
    .toLowerCase()
}

function formatOperand(pattern: string, operand: Operand, distance: (label: Label) => number): string {
  switch (operand.kind) {
    case "immediate":
      return pattern.startsWith("[") ? `[${operand.value}]` : `#${operand.value}`
    case "label":
      return `#${distance(operand)}`
    case "memory":
      return operand.displacement === 0 ? `[x${operand.base!.n}]` : `[x${operand.base!.n}, #${operand.displacement}]`
    case "register":
      return operand.class === "integer" && operand.n === 31 ? `${pattern[0]}zr` : `${pattern[0]}${operand.n}`
  }
}

export class Assembler {
  readonly #code: { readonly form: Form; readonly operands: readonly Operand[] }[] = []
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
