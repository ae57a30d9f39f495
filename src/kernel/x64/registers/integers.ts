/** Integer registers as a lane set of one lane. As in `vectors.ts`, methods append instructions and return results. */
import {
  immediate,
  type Memory,
  memory,
  type Register,
  rax,
  rdx,
  relative,
  type VirtualRegister,
} from "../assembler/operands.ts"
import type { Routine } from "../compiler/routine.ts"
import type { MainLaneSet, Place, Value } from "./lane-set.ts"

export class Integers implements MainLaneSet {
  readonly lanes = 1
  readonly repeatedBytes = 8
  readonly #hasBmi2: boolean
  /** A register that holds 32, and the block for which it was loaded. */
  #half: { readonly block: object; readonly bits: VirtualRegister } | undefined

  /** @param hasBmi2 whether the CPU has `mulx` and `shrx`; otherwise products use rax, which must not be allocated */
  constructor(
    readonly routine: Routine,
    hasBmi2 = true,
  ) {
    this.#hasBmi2 = hasBmi2
  }

  begin(): void {}
  end(): void {}
  repeatedWords = (words: readonly bigint[]): bigint[] => [...words]

  constant(word: bigint): Memory {
    return relative(this.routine.constant([word]))
  }

  repeated = (place: Memory): Memory => place
  broadcastWord = (place: Place): Value => place
  load = (place: Place): Value => place

  store(place: Place, word: Value): void {
    this.routine.emit("mov", place, this.register(word))
  }

  counters(first: Place, lane: number): VirtualRegister {
    const counter = this.copy(first)
    this.routine.emit("add", counter, immediate(lane))
    return counter
  }

  register(value: Value): VirtualRegister {
    return value.kind === "virtual" ? value : this.copy(value)
  }

  /** @returns a copy in a new register, to be changed in place */
  copy(value: Value | Register): VirtualRegister {
    return this.#result("mov", value)
  }

  /** @returns a + b modulo 2^64; the carry flag is not defined */
  add(a: Value, b: Value): VirtualRegister {
    if (a.kind === "virtual" && b.kind === "virtual") return this.#result("lea", memory(a, 0, b))
    const [first, second] = a.kind === "virtual" ? [a, b] : [b, a]
    return this.#onto(first, "add", second)
  }

  xor = (a: Value, b: Value): VirtualRegister => this.#onto(a, "xor", b)

  /** @returns a mod 2^32 */
  low(a: Value): VirtualRegister {
    const low = this.routine.register("r64")
    this.routine.emit("mov", half(low), a.kind === "virtual" ? half(a) : a)
    return low
  }

  /** @returns a >> 32 */
  high(a: Value): VirtualRegister {
    if (this.#hasBmi2) return this.#result("shrx", a, this.#halfWord())
    const high = this.copy(a)
    this.routine.emit("shr", high, immediate(32))
    return high
  }

  /** @returns the 128-bit product a · b = low + 2^64 high */
  multiply(a: Value, b: Value): { readonly low: VirtualRegister; readonly high: VirtualRegister } {
    if (!this.#hasBmi2) {
      this.routine.emit("mov", rax, a)
      this.routine.emit("mul", a === b ? rax : b)
      return { low: this.copy(rax), high: this.copy(rdx) }
    }
    const [low, high] = [this.routine.register("r64"), this.routine.register("r64")]
    this.routine.emit("mov", rdx, a)
    this.routine.emit("mulx", high, low, a === b ? rdx : b)
    return { low, high }
  }

  /** @returns the sum of two 128-bit numbers low + 2^64 high, modulo 2^128; undefined high words are 0 */
  addWide(low: Value, high: Value | undefined, otherLow: Value, otherHigh: Value | undefined) {
    const { routine } = this
    const [sum, carried] = [this.copy(low), high ? this.copy(high) : this.number(0)]
    routine.emit("add", sum, otherLow)
    routine.emit("adc", carried, otherHigh ?? immediate(0))
    return { low: sum, high: carried }
  }

  /** Computes a −= b modulo 2^64. */
  subtractInPlace = (a: VirtualRegister, b: Value): void => this.routine.emit("sub", a, b)
  /** Computes a *= b modulo 2^64. */
  multiplyInPlace = (a: VirtualRegister, b: Value): void => this.routine.emit("imul", a, b)

  /** Computes a += b, plus 2^32 − 1 if the sum wraps. The second sum must not wrap. @param scratch overwritten */
  addWithCarry(a: VirtualRegister, b: Value, scratch: VirtualRegister): void {
    this.routine.emit("add", a, b)
    this.routine.emit("sbb", half(scratch), half(scratch))
    this.routine.emit("add", a, scratch)
  }

  /** @param n 0 … 2^31 − 1 @returns a register that holds n */
  number = (n: number): VirtualRegister => this.#result("mov", immediate(n))

  reverseBytes(a: Value): VirtualRegister {
    const reversed = this.copy(a)
    this.routine.emit("bswap", reversed)
    return reversed
  }

  reverseLowBytes(a: Value): VirtualRegister {
    const reversed = this.low(a)
    this.routine.emit("bswap", half(reversed))
    return reversed
  }

  canonical(x: Value): VirtualRegister {
    // x − p = x + EPS − 2^64, which is not negative if and only if x + EPS carries.
    const result = this.copy(x)
    const less = this.#onto(this.constant(2n ** 32n - 1n), "add", result)
    this.routine.emit("cmovb", result, less)
    return result
  }

  storeAbove(place: Place, a: Value, b: Value): void {
    const [bit, one, word] = [this.number(0), this.number(1), this.register(a)]
    this.routine.emit("cmp", word, b)
    this.routine.emit("cmovg", bit, one)
    this.routine.emit("mov", place, half(bit))
  }

  /** @returns a register that holds 32 */
  #halfWord(): VirtualRegister {
    const { block } = this.routine
    if (this.#half?.block !== block) this.#half = { block, bits: this.copy(this.constant(32n)) }
    return this.#half.bits
  }

  /** @returns the result of an instruction that overwrites its first operand, a copy of `a` */
  #onto(a: Value, mnemonic: string, b: Value): VirtualRegister {
    const result = this.copy(a)
    this.routine.emit(mnemonic, result, b)
    return result
  }

  #result(mnemonic: string, ...operands: Parameters<Routine["emit"]> extends [string, ...infer O] ? O : never) {
    const result = this.routine.register("r64")
    this.routine.emit(mnemonic, result, ...operands)
    return result
  }
}

/** The low half of a register; writing it clears the high half. */
const half = (register: VirtualRegister): VirtualRegister => ({ ...register, class: "r32" })
