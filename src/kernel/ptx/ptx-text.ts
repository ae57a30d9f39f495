/** PTX text: registers, instructions, tables in constant memory, and the module around the kernels. */
import type { Borrow, Carry, Limbs, LimbText, Pair, StepBody, Word } from "../limbs/limb-text.ts"
import type { ConstantTable, Step } from "../ops.ts"
import { type Phase, rollPhases } from "../phases.ts"

/**
 * PTX 6.0 for sm_50 (Maxwell, 2014), the oldest versions that have every instruction used here. Later drivers compile
 * the text for later cards.
 */
const HEADER = ".version 6.0\n.target sm_50\n.address_size 64\n"

/** 2^32 − 1, in memory so that the compiler does not replace multiplications by it. */
const EPS = ".const .align 4 .b32 eps = 0xffffffff;\n"

/** A module's tables and kernels. */
export class PtxModule {
  readonly #declarations: string[] = []
  #needsEps = false

  /** Declares a table of 64-bit words in constant memory. @returns its name */
  table(words: readonly bigint[]): string {
    const name = `table${this.#declarations.length}`
    const list = words.map(word => `0x${word.toString(16)}`).join(", ")
    this.#declarations.push(`.const .align 8 .b64 ${name}[${words.length}] = {${list}};\n`)
    return name
  }

  /** Declares 2^32 − 1 in constant memory. @returns its name */
  eps(): string {
    this.#needsEps = true
    return "eps"
  }

  /** Declares a kernel. @param directives performance directives, such as `.maxnreg 128` */
  kernel(name: string, parameters: readonly string[], directives: string, body: PtxText): void {
    const list = parameters.map(parameter => `  .param ${parameter}`).join(",\n")
    this.#declarations.push(`.visible .entry ${name}(\n${list}\n)\n${directives}\n${body}`)
  }

  toString(): string {
    return [HEADER, ...(this.#needsEps ? [EPS] : []), ...this.#declarations].join("\n")
  }
}

/** The lines and registers of one kernel. */
class PtxBody {
  readonly lines: string[] = []
  readonly counts = { r: 0, d: 0, p: 0, L: 0 }
  /** Number of instructions so far that set the carry flag. */
  flags = 0
  /** The register that holds 2^32 − 1. */
  eps: Word | undefined
}

/** The text of one kernel, or of a loop in it. */
export class PtxText implements LimbText {
  readonly #module: PtxModule
  readonly #body: PtxBody
  /** Address of the current entry of the constant table, in a loop. */
  readonly #entry: Pair | undefined

  constructor(module: PtxModule, body = new PtxBody(), entry?: Pair) {
    this.#module = module
    this.#body = body
    this.#entry = entry
  }

  /** Returns a new 32-bit register. */
  word(): Word {
    return this.#new("r")
  }

  /** Returns a new 64-bit register. */
  pair(): Pair {
    return this.#new("d")
  }

  /** Returns a new predicate register. */
  predicate(): string {
    return this.#new("p")
  }

  /** Returns a new label. */
  label(): string {
    return `L${this.#body.counts.L++}`
  }

  /** Places a label at the current position. */
  place(label: string): void {
    this.#body.lines.push(`${label}:`)
  }

  /** Appends an instruction. */
  emit(instruction: string): void {
    this.#body.lines.push(`  ${instruction};`)
  }

  /** Appends an instruction whose result is a new 32-bit register. @returns the register */
  let(name: string, ...operands: readonly (string | number)[]): Word {
    return this.#into(this.word(), name, operands)
  }

  /** Appends an instruction whose result is a new 64-bit register. @returns the register */
  letPair(name: string, ...operands: readonly (string | number)[]): Pair {
    return this.#into(this.pair(), name, operands)
  }

  literal(value: bigint): Word {
    return `0x${value.toString(16)}`
  }

  /** Loads 2^32 − 1 at the start of the kernel. */
  opaqueEps(): Word {
    const body = this.#body
    if (body.eps === undefined) {
      body.eps = this.word()
      body.lines.unshift(`  ld.const.b32 ${body.eps}, [${this.#module.eps()}];`)
    }
    return body.eps
  }

  add(a: Word, b: Word): Word {
    return this.let("add.u32", a, b)
  }

  addOut(a: Word, b: Word): [Word, Carry] {
    return this.#setting(() => this.let("add.cc.u32", a, b))
  }

  addInOut(a: Word, b: Word, carry: Carry): [Word, Carry] {
    this.#use(carry)
    return this.#setting(() => this.let("addc.cc.u32", a, b))
  }

  addIn(a: Word, b: Word, carry: Carry): Word {
    this.#use(carry)
    return this.let("addc.u32", a, b)
  }

  subtract(a: Word, b: Word): Word {
    return this.let("sub.u32", a, b)
  }

  subtractOut(a: Word, b: Word): [Word, Borrow] {
    return this.#setting(() => this.let("sub.cc.u32", a, b))
  }

  subtractInOut(a: Word, b: Word, borrow: Borrow): [Word, Borrow] {
    this.#use(borrow)
    return this.#setting(() => this.let("subc.cc.u32", a, b))
  }

  subtractIn(a: Word, b: Word, borrow: Borrow): Word {
    this.#use(borrow)
    return this.let("subc.u32", a, b)
  }

  shiftLeft(a: Word, bits: number): Word {
    return this.let("shl.b32", a, bits)
  }

  shiftRight(a: Word, bits: number): Word {
    return this.let("shr.u32", a, bits)
  }

  shiftAcross(low: Word, high: Word, bits: number): Word {
    return this.let("shf.l.wrap.b32", low, high, bits)
  }

  pack(low: Word, high: Word): Pair {
    return this.letPair("mov.b64", `{${low}, ${high}}`)
  }

  unpack(pair: Pair): Limbs {
    const words: [Word, Word] = [this.word(), this.word()]
    this.emit(`mov.b64 {${words.join(", ")}}, ${pair}`)
    return words
  }

  extend(word: Word): Pair {
    return this.letPair("cvt.u64.u32", word)
  }

  addPairs(a: Pair, b: Pair): Pair {
    return this.letPair("add.u64", a, b)
  }

  subtractPairs(a: Pair, b: Pair): Pair {
    return this.letPair("sub.u64", a, b)
  }

  shiftPairRight(a: Pair, bits: number): Pair {
    return this.letPair("shr.u64", a, bits)
  }

  multiplyWide(a: Word, b: Word): Pair {
    return this.letPair("mul.wide.u32", a, b)
  }

  multiplyAddWide(a: Word, b: Word, addend: Pair): Pair {
    return this.letPair("mad.wide.u32", a, b, addend)
  }

  multiplyAdd(a: Word, b: Word, addend: Limbs, carry?: Carry): Limbs {
    const low = this.#multiplyAddLow(a, b, addend[0], carry)
    return [low, this.let("madc.hi.u32", a, b, addend[1])]
  }

  multiplyAddOut(a: Word, b: Word, addend: Limbs, carry?: Carry): [Limbs, Carry] {
    const low = this.#multiplyAddLow(a, b, addend[0], carry)
    const [high, out] = this.#setting(() => this.let("madc.hi.cc.u32", a, b, addend[1]))
    return [[low, high], out]
  }

  constant(column: number): Limbs {
    if (this.#entry === undefined) throw new TypeError("a table entry is used outside its loop")
    return this.unpack(this.letPair("ld.const.b64", `[${this.#entry}+${8 * column}]`))
  }

  loop(step: Step, table: ConstantTable, state: readonly Limbs[], body: StepBody): Limbs[] {
    const words = table.flat()
    const address = this.#module.table(words)
    const current = state.map(x => this.#copy(x))
    const entry = this.letPair("mov.u64", address)
    const end = this.letPair("add.u64", entry, 8 * words.length)
    this.#loopTo(entry, end, { step, table }, current, body)
    return current
  }

  /**
   * Writes a loop over the groups of the main step, which are stored as (bytes of entries, index of the next step, bytes
   * of its entries), around one loop for each step.
   */
  loopPhases(phases: readonly Phase[], state: readonly Limbs[], body: StepBody): Limbs[] {
    const { main, others, groups } = rollPhases(phases)
    const bytesOf = (phase: Phase | undefined, entries: number): number =>
      8 * entries * (phase ? phase.table[0]!.length : 0)
    const rows = groups.flatMap(({ entries, next, nextEntries }) =>
      [bytesOf(main, entries), next, bytesOf(others[next], nextEntries)].map(BigInt),
    )
    const current = state.map(x => this.#copy(x))
    const entry = this.letPair("mov.u64", this.#module.table(main.table.flat()))
    const group = this.letPair("mov.u64", this.#module.table(rows))
    const [start, next, done] = [this.label(), this.label(), this.label()]
    const labels = others.map(() => this.label())
    this.place(start)
    const end = this.letPair("add.u64", entry, this.letPair("ld.const.b64", `[${group}]`))
    this.#loopTo(entry, end, main, current, body)
    const which = this.letPair("ld.const.b64", `[${group}+8]`)
    this.#branch("eq", which, others.length, done)
    for (const [i, label] of labels.entries()) if (i > 0) this.#branch("eq", which, i, label)
    for (const [i, other] of others.entries()) {
      this.place(labels[i]!)
      const first = this.letPair("mov.u64", this.#module.table(other.table.flat()))
      const end = this.letPair("add.u64", first, this.letPair("ld.const.b64", `[${group}+16]`))
      this.#loopTo(first, end, other, current, body)
      if (i < others.length - 1) this.emit(`bra ${next}`)
    }
    this.place(next)
    this.emit(`add.u64 ${group}, ${group}, 24`)
    this.emit(`bra ${start}`)
    this.place(done)
    return current
  }

  toString(): string {
    const { lines, counts } = this.#body
    const { r, d, p } = counts
    const registers = `  .reg .b32 %r<${r + 1}>;\n  .reg .b64 %d<${d + 1}>;\n  .reg .pred %p<${p + 1}>;\n`
    return `{\n${registers}${lines.join("\n")}\n  ret;\n}\n`
  }

  /** Writes a loop that applies a step to `current` for each entry from address `entry` up to `end`. */
  #loopTo(entry: Pair, end: Pair, { step, table }: Phase, current: readonly Limbs[], body: StepBody): void {
    const columns = table[0]!.map((_, column) => ({ column, table }))
    const start = this.label()
    this.place(start)
    const inner = new PtxText(this.#module, this.#body, entry)
    this.#assign(current, body(inner, step, columns, current))
    this.emit(`add.u64 ${entry}, ${entry}, ${8 * columns.length}`)
    this.#branch("ne", entry, end, start)
  }

  /** Assigns the next state to the registers of the current one. */
  #assign(current: readonly Limbs[], state: readonly Limbs[]): void {
    const next = state.map(x => this.#copy(x))
    current.forEach((x, i) => {
      x.forEach((word, j) => {
        this.emit(`mov.b32 ${word}, ${next[i]![j]}`)
      })
    })
  }

  #branch(comparison: "eq" | "ne", a: Pair, b: Pair | number, label: string): void {
    const condition = this.predicate()
    this.emit(`setp.${comparison}.u64 ${condition}, ${a}, ${b}`)
    this.emit(`@${condition} bra ${label}`)
  }

  #copy([low, high]: Limbs): Limbs {
    return [this.let("mov.b32", low), this.let("mov.b32", high)]
  }

  #multiplyAddLow(a: Word, b: Word, addend: Word, carry: Carry | undefined): Word {
    if (carry !== undefined) this.#use(carry)
    const [low] = this.#setting(() => this.let(`${carry === undefined ? "mad" : "madc"}.lo.cc.u32`, a, b, addend))
    return low
  }

  /** Appends an instruction that sets the carry flag. */
  #setting(append: () => Word): [Word, string] {
    const word = append()
    this.#body.flags += 1
    return [word, `flag ${this.#body.flags}`]
  }

  /** @throws RangeError if a later instruction has set the carry flag */
  #use(flag: string): void {
    if (flag !== `flag ${this.#body.flags}`) throw new RangeError("the carry is no longer in the carry flag")
  }

  #new(kind: "r" | "d" | "p"): string {
    return `%${kind}${this.#body.counts[kind]++}`
  }

  #into(register: string, name: string, operands: readonly (string | number)[]): string {
    this.emit(`${name} ${[register, ...operands].join(", ")}`)
    return register
  }
}
