/** A writer of PTX text: registers, instructions, tables in constant memory, and the module around the kernels. */

/**
 * PTX 6.0 for sm_50 (Maxwell, 2014), the oldest versions that have every instruction used here. Later drivers compile
 * the text for later cards.
 */
const HEADER = ".version 6.0\n.target sm_50\n.address_size 64\n"

/** A module's tables and kernels. */
export class PtxModule {
  readonly #declarations: string[] = []

  /** Declares a table of 64-bit words in constant memory. @returns its name */
  table(words: readonly bigint[]): string {
    const name = `table${this.#declarations.length}`
    const list = words.map(word => `0x${word.toString(16)}`).join(", ")
    this.#declarations.push(`.const .align 8 .b64 ${name}[${words.length}] = {${list}};\n`)
    return name
  }

  /** Declares a kernel. @param directives performance directives, such as `.maxnreg 128` */
  kernel(name: string, parameters: readonly string[], directives: string, body: PtxText): void {
    const list = parameters.map(parameter => `  .param ${parameter}`).join(",\n")
    this.#declarations.push(`.visible .entry ${name}(\n${list}\n)\n${directives}\n${body}`)
  }

  toString(): string {
    return [HEADER, ...this.#declarations].join("\n")
  }
}

/** The body of one kernel. */
export class PtxText {
  readonly #lines: string[] = []
  readonly #counts = { r: 0, d: 0, p: 0, L: 0 }

  /** Returns a new 32-bit register. */
  word(): string {
    return this.#new("r")
  }

  /** Returns a new 64-bit register. */
  pair(): string {
    return this.#new("d")
  }

  /** Returns a new predicate register. */
  predicate(): string {
    return this.#new("p")
  }

  /** Returns a new label. */
  label(): string {
    return `L${this.#counts.L++}`
  }

  /** Places a label at the current position. */
  place(label: string): void {
    this.#lines.push(`${label}:`)
  }

  /** Appends an instruction. */
  emit(instruction: string): void {
    this.#lines.push(`  ${instruction};`)
  }

  /** Appends an instruction whose result is a new 32-bit register. @returns the register */
  let(name: string, ...operands: readonly (string | number)[]): string {
    return this.#into(this.word(), name, operands)
  }

  /** Appends an instruction whose result is a new 64-bit register. @returns the register */
  letPair(name: string, ...operands: readonly (string | number)[]): string {
    return this.#into(this.pair(), name, operands)
  }

  /** Combines two 32-bit words into a 64-bit register. */
  pack(low: string, high: string): string {
    return this.letPair("mov.b64", `{${low}, ${high}}`)
  }

  /** Splits a 64-bit register into two 32-bit words. */
  unpack(pair: string): [low: string, high: string] {
    const words: [string, string] = [this.word(), this.word()]
    this.emit(`mov.b64 {${words.join(", ")}}, ${pair}`)
    return words
  }

  /** Zero-extends a 32-bit word to a 64-bit register. */
  extend(word: string): string {
    return this.letPair("cvt.u64.u32", word)
  }

  toString(): string {
    const { r, d, p } = this.#counts
    const registers = `  .reg .b32 %r<${r + 1}>;\n  .reg .b64 %d<${d + 1}>;\n  .reg .pred %p<${p + 1}>;\n`
    return `{\n${registers}${this.#lines.join("\n")}\n  ret;\n}\n`
  }

  #new(kind: "r" | "d" | "p"): string {
    return `%${kind}${this.#counts[kind]++}`
  }

  #into(register: string, name: string, operands: readonly (string | number)[]): string {
    this.emit(`${name} ${[register, ...operands].join(", ")}`)
    return register
  }
}
