/** Rolled loops on arm64: the instructions around the blocks of steps, and the constant pool. */

import type { RegisterFile } from "../compiler/architecture.ts"
import type { Statistics } from "../compiler/recorder.ts"
import { RolledSteps } from "../native/rolled-steps.ts"
import type { Constant, ConstantTable, Step } from "../ops.ts"
import { type HardwareRegister, type Label, type Memory, memory, type VirtualRegister } from "./assembler/operands.ts"
import type { Routine } from "./compiler/routine.ts"
import { STEP_LINK_OFFSET } from "./context.ts"
import type { LaneOps } from "./lane-set.ts"
import { ENTRIES_LEFT, inContext, LINK, POOL, TABLE_POINTER } from "./registers.ts"

/** A rendered step, for counts and simulation. */
export interface StepListing {
  /** The step's name. */
  readonly name: string
  /** The instructions of the loop. */
  readonly code: readonly string[]
  readonly statistics: Statistics
}

const WORD = 2 ** 3

export class Steps extends RolledSteps<Routine> {
  readonly #repeated: 1 | 2
  readonly #pool = new Map<string, number>()
  readonly #words: bigint[] = []
  readonly #listings: { name: string; loop: Label; end: Label; statistics: Statistics }[] = []
  readonly poolLabel: Label
  /** Registers that hold constants in the current block. */
  #loaded: { readonly block: object; readonly constants: Map<string, VirtualRegister> } | undefined

  /** @param repeated copies of each word in a table: 2 if vectors read it */
  constructor(routine: Routine, repeated: 1 | 2) {
    super(routine)
    this.#repeated = repeated
    this.poolLabel = routine.label("pool")
  }

  /** Appends a call of the step's subroutine. @returns the state after all iterations */
  repeat<V, W>(ops: LaneOps<V, W>, step: Step, table: ConstantTable, state: readonly V[]): V[] {
    const { routine } = this
    return this.apply(ops, [ops], step, table, state, (entry, label) => {
      routine.control("adr Xd, label", TABLE_POINTER, label)
      routine.control("mov Xd, #i", ENTRIES_LEFT, table.length)
      routine.control("bl label", entry)
    })
  }

  protected subroutine(name: string, _entry: Label, render: () => void, entryWords: () => number): void {
    const { routine } = this
    const [loop, end] = [routine.label("loop"), routine.label("end")]
    // Blocks may use the link register.
    routine.control("str Xd, [Xn, #i*8]", LINK, inContext(STEP_LINK_OFFSET))
    routine.bind(loop)
    const before = { ...routine.statistics }
    render()
    routine.endBlock()
    this.#listings.push({ name, loop, end, statistics: difference(routine.statistics, before) })
    routine.control("add Xd, Xn, #i", TABLE_POINTER, TABLE_POINTER, entryWords() * this.#repeated * WORD)
    routine.control("sub Xd, Xn, #i", ENTRIES_LEFT, ENTRIES_LEFT, 1)
    routine.control("cbnz Xd, label", ENTRIES_LEFT, loop)
    routine.bind(end)
    routine.control("ldr Xd, [Xn, #i*8]", LINK, inContext(STEP_LINK_OFFSET))
    routine.control("ret")
  }

  /** Renders the subroutines of all repeated steps, their tables and the constant pool. */
  override finish(): void {
    super.finish()
    this.routine.data(this.poolLabel, this.#words)
  }

  protected tableWords(words: readonly bigint[]): bigint[] {
    return words.flatMap(this.#repeat)
  }

  #repeat = (word: bigint): bigint[] => new Array<bigint>(this.#repeated).fill(word)

  /**
   * @param constant a number, or a constant of the current table entry
   * @param name identifies the derivation among those of all vocabularies
   * @param derive computes the word, modulo 2^64, from the constant
   * @returns the place of the derived word
   */
  constant(constant: Constant, name: string, derive: (c: bigint) => bigint): Memory<HardwareRegister> {
    if (typeof constant === "bigint") return this.pool(this.#repeat(BigInt.asUintN(64, derive(constant))))
    return memory(TABLE_POINTER, this.columnOf(constant, name, derive) * this.#repeated * WORD)
  }

  /**
   * Adds words to the constant pool unless it holds them already.
   * @param words one word, or two, which are placed at a multiple of 16 bytes
   * @returns their place
   */
  pool(words: readonly bigint[]): Memory<HardwareRegister> {
    const key = words.join()
    let offset = this.#pool.get(key)
    if (offset === undefined) {
      if (words.length > 1 && this.#words.length % 2) this.#words.push(0n)
      offset = WORD * this.#words.length
      this.#words.push(...words)
      this.#pool.set(key, offset)
    }
    return memory(POOL, offset)
  }

  /** Loads a constant into a register, once per block for all lane sets. */
  loadConstant(place: Memory<HardwareRegister>, file: RegisterFile): VirtualRegister {
    const { block } = this.routine
    if (this.#loaded?.block !== block) this.#loaded = { block, constants: new Map() }
    const key = `${file} ${place.base!.n} ${place.displacement}`
    let register = this.#loaded.constants.get(key)
    if (!register) {
      register = this.routine.register(file)
      this.routine.emit(file === "integer" ? "ldr Xd, [Xn, #i*8]" : "ldr Qd, [Xn, #i*16]", register, place)
      this.#loaded.constants.set(key, register)
    }
    return register
  }

  /** The rendered steps. Read it after the routine is finished. */
  get listings(): StepListing[] {
    return this.#listings.map(({ name, loop, end, statistics }) => ({
      name,
      code: this.routine.listing(loop, end),
      statistics,
    }))
  }
}

const difference = (after: Statistics, before: Statistics): Statistics => ({
  instructions: after.instructions - before.instructions,
  stores: after.stores - before.stores,
  reloads: after.reloads - before.reloads,
})
