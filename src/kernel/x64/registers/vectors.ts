/**
 * Vectors of 64-bit lanes: four with AVX2, eight with AVX-512. Each method appends instructions and returns the register
 * of the result.
 */
import {
  broadcast,
  immediate,
  type Memory,
  mask,
  r32,
  rax,
  relative,
  type VirtualRegister,
} from "../assembler/operands.ts"
import type { Routine } from "../compiler/routine.ts"
import type { MainLaneSet, Place, Value } from "./lane-set.ts"

export type Vector = Value

/** k7, reserved for the mask of the odd 32-bit halves. */
const ODD_HALVES = mask(7)

export class Vectors implements MainLaneSet {
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

  /** Appends an entry point's first instructions, which set the mask that `halves` uses. */
  begin(): void {
    if (this.bits === 256) return
    this.routine.control("mov", rax, immediate(0xaaaa))
    this.routine.control("kmovw", ODD_HALVES, r32(rax.n))
  }

  /** Clears the upper halves, which would slow down SSE code. */
  end(): void {
    this.routine.control("vzeroupper")
  }

  constant(word: bigint): Memory {
    let place = this.#constants.get(word)
    if (!place) {
      place = this.repeated(relative(this.routine.constant(this.repeatedWords([word]))))
      this.#constants.set(word, place)
    }
    return place
  }

  /** @returns the words as `repeated` expects them in memory: AVX2, without broadcast operands, needs a copy per lane */
  repeatedWords(words: readonly bigint[]): bigint[] {
    return this.bits === 512 ? [...words] : words.flatMap(word => new Array<bigint>(this.lanes).fill(word))
  }

  /** Size in bytes of one word in the layout of `repeatedWords`. */
  get repeatedBytes(): number {
    return this.bits === 512 ? 8 : this.bytes
  }

  repeated(place: Memory): Memory {
    return this.bits === 512 ? broadcast(place) : place
  }

  /** @returns memory with one word per lane; shorter lists are repeated */
  pattern(words: readonly bigint[]): Memory {
    const lanes = Array.from({ length: this.lanes }, (_, i) => words[i % words.length]!)
    return relative(this.routine.constant(lanes))
  }

  counters(first: Place, lane: number): VirtualRegister {
    return this.add(this.broadcastWord(first), this.pattern(LANES.map(n => n + BigInt(lane))))
  }

  storeAbove(place: Place, a: Vector, b: Vector): void {
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

  load(place: Place): VirtualRegister {
    if (place.broadcast) return this.broadcastWord({ ...place, broadcast: false })
    return this.#result(this.bits === 256 ? "vmovdqu" : "vmovdqu64", place)
  }

  broadcastWord(place: Place): VirtualRegister {
    return this.#result("vpbroadcastq", place)
  }

  store(place: Place, value: Vector): void {
    this.routine.emit(this.bits === 256 ? "vmovdqu" : "vmovdqu64", place, this.register(value))
  }

  register(value: Vector): VirtualRegister {
    return value.kind === "virtual" ? value : this.load(value)
  }

  add = (a: Vector, b: Vector): VirtualRegister => this.#commutative("vpaddq", a, b)
  subtract = (a: Vector, b: Vector): VirtualRegister => this.#result("vpsubq", this.register(a), b)
  /** @returns the 64-bit product of the low halves of each lane */
  multiply = (a: Vector, b: Vector): VirtualRegister => this.#commutative("vpmuludq", a, b)
  and = (a: Vector, b: Vector): VirtualRegister => this.#commutative(this.bits === 256 ? "vpand" : "vpandq", a, b)
  xor = (a: Vector, b: Vector): VirtualRegister => this.#commutative(this.bits === 256 ? "vpxor" : "vpxorq", a, b)
  shiftRight = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsrlq", a, bits)
  shiftLeft = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsllq", a, bits)
  reverseBytes = (a: Vector): VirtualRegister => this.#shuffleBytes(a, SWAP)
  reverseLowBytes = (a: Vector): VirtualRegister => this.#shuffleBytes(a, SWAP_LOW)

  /** @returns x mod 2^32 in each lane */
  low = (a: Vector): VirtualRegister => this.and(a, this.constant(0xffffffffn))

  shiftRightSigned = (a: Vector, bits: number): VirtualRegister => this.#shift("vpsraq", a, bits)

  /** @returns a copy in a new register, to be changed in place */
  copy(a: Vector): VirtualRegister {
    return a.kind === "memory" ? this.load(a) : this.#result("vmovdqu64", a)
  }

  /** @returns (low mod 2^32) + 2^32 (high mod 2^32) in each lane */
  halves(low: Vector, high: Vector): VirtualRegister {
    if (this.bits === 256)
      return this.#result("vpblendd", this.register(low), this.shiftLeft(high, 32), immediate(0xaa))
    const result = this.copy(low)
    this.routine.emitMasked("vmovsldup", ODD_HALVES, result, this.register(high))
    return result
  }

  canonical(x: Vector): VirtualRegister {
    // x − p = x + EPS − 2^64. The smaller of x and x + EPS mod 2^64 is canonical.
    const less = this.add(x, this.constant(0xffffffffn))
    if (this.bits === 512) return this.#result("vpminuq", this.register(x), less)
    const sign = this.constant(2n ** 63n)
    const isLess = this.#result("vpcmpgtq", this.xor(x, sign), this.xor(less, sign))
    return this.xor(x, this.and(isLess, this.xor(x, less)))
  }

  #shuffleBytes(a: Vector, order: readonly bigint[]): VirtualRegister {
    return this.#result("vpshufb", this.register(a), this.pattern(order))
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

/** `vpshufb` controls for each 16 bytes: reverse both words; reverse the low half of both words and clear the high half. */
const SWAP = [0x0001020304050607n, 0x08090a0b0c0d0e0fn]
const SWAP_LOW = [0x8080808000010203n, 0x8080808008090a0bn]
const LANES = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]
