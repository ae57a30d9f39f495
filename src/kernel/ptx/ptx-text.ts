/** PTX as it is written: registers, instructions, tables in constant memory, the module around the kernels. */

/**
 * The oldest instruction set and architecture that have everything used here (Maxwell, 2014): the compiler of any driver
 * since takes them, for any card since.
 */
const HEADER = ".version 6.0\n.target sm_50\n.address_size 64\n"

/** A module's tables and kernels. */
export class PtxModule {
  readonly #declarations: string[] = []

  /** Lays words out in constant memory. @returns the table's name */
  table(words: readonly bigint[]): string {
    const name = `table${this.#declarations.length}`
    const list = words.map(word => `0x${word.toString(16)}`).join(", ")
    this.#declarations.push(`.const .align 8 .b64 ${name}[${words.length}] = {${list}};\n`)
    return name
  }

  /** @param directives what stands between the parameters and the body, such as `.maxnreg 128` */
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

  /** A register of 32 bits. */
  word(): string {
    return this.#new("r")
  }

  /** A register of 64 bits. */
  pair(): string {
    return this.#new("d")
  }

  predicate(): string {
    return this.#new("p")
  }

  label(): string {
    return `L${this.#counts.L++}`
  }

  place(label: string): void {
    this.#lines.push(`${label}:`)
  }

  emit(instruction: string): void {
    this.#lines.push(`  ${instruction};`)
  }

  /** `name` into a new word, with operands. */
  let(name: string, ...operands: readonly (string | number)[]): string {
    return this.#into(this.word(), name, operands)
  }

  /** `name` into a new pair. */
  letPair(name: string, ...operands: readonly (string | number)[]): string {
    return this.#into(this.pair(), name, operands)
  }

  pack(low: string, high: string): string {
    return this.letPair("mov.b64", `{${low}, ${high}}`)
  }

  unpack(pair: string): [low: string, high: string] {
    const words: [string, string] = [this.word(), this.word()]
    this.emit(`mov.b64 {${words.join(", ")}}, ${pair}`)
    return words
  }

  /** A word as a pair. */
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
