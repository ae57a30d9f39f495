/**
 * Assembles instructions over hardware registers into position-independent bytes: code, then the constants it uses.
 */
import { type EvexOptions, encode, type Fixup, select } from "./encode.ts"
import { instructions } from "./instructions.ts"
import { format, type Label, label, type Operand } from "./operands.ts"
import type { Feature, Instruction } from "./table.ts"

/** Receives labels and instructions as they are assembled, for listings. */
export interface AssemblyObserver {
  /** @param at byte offset from the start of the code */
  label(at: number, name: string): void
  instruction(at: number, form: Instruction, operands: readonly Operand[], options?: EvexOptions): void
}

export class Assembler {
  readonly #observer: AssemblyObserver | undefined
  readonly #code: number[] = []
  readonly #fixups: Fixup[] = []
  readonly #places = new Map<string, number>()
  readonly #constants = new Map<string, { label: Label; words: readonly bigint[] }>()
  readonly #needs = new Set<Feature>()

  constructor(observer?: AssemblyObserver) {
    this.#observer = observer
  }

  /** Appends an instruction. @throws Error with mnemonic and operands if the table has no matching form */
  emit(mnemonic: string, operands: readonly Operand[] = [], options?: EvexOptions): void {
    const form = select(instructions.get(mnemonic) ?? [], operands)
    if (!form) throw new Error(`no instruction ${mnemonic} ${operands.map(format).join(", ")}`)
    this.emitForm(form, operands, options)
  }

  /** Like `emit`, with a form that was selected before. */
  emitForm(form: Instruction, operands: readonly Operand[], options?: EvexOptions): void {
    this.#observer?.instruction(this.#code.length, form, operands, options)
    for (const need of form.needs) this.#needs.add(need)
    encode(form, operands, this.#code, this.#fixups, options)
  }

  /** Places the label at the next instruction. @throws Error if the label is already bound */
  bind(label: Label): void {
    if (this.#places.has(label.name)) throw new Error(`label ${label.name} is bound twice`)
    this.#places.set(label.name, this.#code.length)
    this.#observer?.label(this.#code.length, label.name)
  }

  /** @returns the label of 64-bit words after the code, aligned to 64 bytes; equal constants are stored once */
  constant(words: readonly bigint[]): Label {
    const key = words.join()
    const known = this.#constants.get(key)
    if (known) return known.label
    const entry = { label: label(`constant${this.#constants.size}`), words }
    this.#constants.set(key, entry)
    return entry.label
  }

  /** Stores 64-bit words after the code, aligned to 64 bytes, at an existing label. */
  data(label: Label, words: readonly bigint[]): void {
    this.#constants.set(label.name, { label, words })
  }

  /** The CPU features that the emitted instructions require. */
  get needs(): ReadonlySet<Feature> {
    return this.#needs
  }

  /** @returns the byte offset of a label in the code @throws Error if the label is not bound */
  offsetOf(label: Label): number {
    const place = this.#places.get(label.name)
    if (place === undefined) throw new Error(`label ${label.name} is not bound`)
    return place
  }

  /**
   * @returns code and constants, to be loaded at a multiple of 64 bytes
   * @throws Error if an instruction refers to a label that is not bound
   */
  finish(): Uint8Array {
    const places = new Map(this.#places)
    let size = Math.ceil(this.#code.length / 64) * 64
    for (const { label, words } of this.#constants.values()) {
      places.set(label.name, size)
      size += Math.ceil(words.length / 8) * 64
    }
    const bytes = new Uint8Array(size).fill(0xcc)
    bytes.set(this.#code)
    const view = new DataView(bytes.buffer)
    for (const { label, words } of this.#constants.values())
      words.forEach((word, i) => {
        view.setBigUint64(places.get(label.name)! + 8 * i, BigInt.asUintN(64, word), true)
      })
    for (const fixup of this.#fixups) {
      const place = places.get(fixup.label)
      if (place === undefined) throw new Error(`label ${fixup.label} is not bound`)
      view.setInt32(fixup.at, place + fixup.displacement - fixup.end, true)
    }
    return bytes
  }
}
