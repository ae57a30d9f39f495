/**
 * Vectors of 64-bit lanes, four of them with AVX2 or eight with AVX-512, written as expressions: each method appends an
 * instruction and gives the register of its result.
 */
import {
  broadcast,
  immediate,
  type Memory,
  mask,
  type Register,
  r32,
  rax,
  relative,
  type VirtualRegister,
} from "./assembler/operands.ts"
import type { Routine } from "./compiler/routine.ts"

/** A value in a register, or in memory from where instructions take it as they need it. */
export type Vector = VirtualRegister | Memory

/** Never used for anything else. */
const ODD_HALVES = mask(7)

export class Vectors {
  readonly bytes: 32 | 64
  readonly lanes: 4 | 8
  readonly #class: "ymm" | "zmm"
  readonly #constants = new Map<bigint, Memory>()

  constructor(
    readonly routine: Routine,
    readonly bits: 256 | 512,
  ) {
    this.bytes = (bits / 8) as 32 | 64
    this.lanes = (bits / 64) as 4 | 8
    this.#class = bits === 256 ? "ymm" : "zmm"
  }

  /** What a routine does first: `halves` expects a mask of the odd halves. */
  begin(): void {
    if (this.bits === 256) return
    this.routine.control("mov", rax, immediate(0xaaaa))
    this.routine.control("kmovw", ODD_HALVES, r32(rax.n))
  }

  /** The same word in every lane. */
  constant(word: bigint): Memory {
    let place = this.#constants.get(word)
    if (!place) {
      place = this.repeated(relative(this.routine.constant(this.repeatedWords([word]))))
      this.#constants.set(word, place)
    }
    return place
  }

  /** Words as they must lie in memory so that `repeated` finds each in every lane: AVX2 has no broadcast operands. */
  repeatedWords(words: readonly bigint[]): bigint[] {
    return this.bits === 512 ? [...words] : words.flatMap(word => new Array<bigint>(this.lanes).fill(word))
  }

  /** Bytes that a repeated word takes. */
  get repeatedBytes(): number {
    return this.bits === 512 ? 8 : this.bytes
  }

  repeated(place: Memory): Memory {
    return this.bits === 512 ? broadcast(place) : place
  }

  /** Words by lane, repeated as often as they fit. */
  pattern(words: readonly bigint[]): Memory {
    const lanes = Array.from({ length: this.lanes }, (_, i) => words[i % words.length]!)
    return relative(this.routine.constant(lanes))
  }

  /** An integer register's value in every lane. */
  fromInteger(integer: Register): VirtualRegister {
    if (this.bits === 512) return this.#result("vpbroadcastq", integer)
    const low = this.routine.register("xmm")
    this.routine.emit("vmovq", low, integer)
    return this.#result("vpbroadcastq", low)
  }

  /** Stores 32 bits at `place`: one a lane, set where `a`, compared as signed, is above `b`. */
  storeAbove(place: Memory, a: Vector, b: Vector): void {
    const bits = this.routine.register("r32")
    if (this.bits === 256) {
      const above = this.#result("vpcmpgtq", this.register(a), b)
      this.routine.emit("vmovmskpd", bits, above)
    } else {
      const above = mask(1)
      this.routine.emit("vpcmpq", above, this.register(a), b, immediate(6))
      this.routine.emit("kmovw", bits, above)
    }
    this.routine.emit("mov", place, bits)
  }

  load(place: Memory): VirtualRegister {
    if (place.broadcast) return this.broadcastWord({ ...place, broadcast: false })
    return this.#result(this.bits === 256 ? "vmovdqu" : "vmovdqu64", place)
  }

  /** A word of memory in every lane. */
  broadcastWord(place: Memory): VirtualRegister {
    return this.#result("vpbroadcastq", place)
  }

  store(place: Memory, value: Vector): void {
    this.routine.emit(this.bits === 256 ? "vmovdqu" : "vmovdqu64", place, this.register(value))
  }

  register(value: Vector): VirtualRegister {
    return value.kind === "virtual" ? value : this.load(value)
  }

  add = (a: Vector, b: Vector): VirtualRegister => this.#commutative("vpaddq", a, b)
  subtract = (a: Vector, b: Vector): VirtualRegister => this.#result("vpsubq", this.register(a), b)
  /** The product of the low halves. */
  multiply = (a: Vector, b: Vector): VirtualRegister => this.#commutative("vpmuludq", a, b)
  and = (a: Vector, b: Vector): VirtualRegister => this.#commutative(this.bits === 256 ? "vpand" : "vpandq", a, b)
  xor = (a: Vector, b: Vector): VirtualRegister => this.#commutative(this.bits === 256 ? "vpxor" : "vpxorq", a, b)
  shiftRight = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsrlq", a, bits)
  shiftLeft = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsllq", a, bits)
  shuffleBytes = (a: Vector, order: Vector): VirtualRegister => this.#result("vpshufb", this.register(a), order)

  /** The low half of each lane, the high half 0. */
  low = (a: Vector): VirtualRegister => this.and(a, this.constant(0xffffffffn))

  shiftRightSigned = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsraq", a, bits)

  /** A register of its own, to be added to in place. */
  copy(a: Vector): VirtualRegister {
    return a.kind === "memory" ? this.load(a) : this.#result("vmovdqu64", a)
  }

  /** The low halves of one, with the low halves of the other above them. */
  halves(low: Vector, high: Vector): VirtualRegister {
    if (this.bits === 256)
      return this.#result("vpblendd", this.register(low), this.shiftLeft(high, 32), immediate(0xaa))
    const result = this.copy(low)
    this.routine.emitMasked("vmovsldup", ODD_HALVES, result, this.register(high))
    return result
  }

  /** x − p where that is not negative. */
  canonical(x: Vector): VirtualRegister {
    // x − p = x + EPS − 2^64: the smaller of the two words.
    const less = this.add(x, this.constant(0xffffffffn))
    if (this.bits === 512) return this.#result("vpminuq", this.register(x), less)
    const sign = this.constant(2n ** 63n)
    const isLess = this.#result("vpcmpgtq", this.xor(x, sign), this.xor(less, sign))
    return this.xor(x, this.and(isLess, this.xor(x, less)))
  }

  #shift(mnemonic: string, a: Vector, bits: number): VirtualRegister {
    return this.#result(mnemonic, this.bits === 256 ? this.register(a) : a, immediate(bits))
  }

  #commutative(mnemonic: string, a: Vector, b: Vector): VirtualRegister {
    return a.kind === "virtual" ? this.#result(mnemonic, a, b) : this.#result(mnemonic, this.register(b), a)
  }

  #result(mnemonic: string, ...operands: Parameters<Routine["emit"]> extends [string, ...infer O] ? O : never) {
    const result = this.routine.register(this.#class)
    this.routine.emit(mnemonic, result, ...operands)
    return result
  }
}
