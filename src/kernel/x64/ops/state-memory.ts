/** A state on its way into a step and out of it: in memory, two vectors an element. */
import { WIDTH } from "../../../pow/constants.ts"
import { type Memory, memory } from "../assembler/operands.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"
import { STATE_POINTER } from "./steps.ts"

interface VectorPair {
  readonly low: Vector
  readonly high: Vector
}

/** Bytes of a state on one vector of nonces. */
export const vectorStateBytes = (vectorBytes: number): number => 2 * WIDTH * vectorBytes

export class StateMemory {
  readonly #v: Vectors
  readonly #offset: number
  /** Counts what the memory has held. */
  #version = 0

  /** That a whole state takes. */
  readonly bytes: number

  /** @param offset bytes from `STATE_POINTER` */
  constructor(vectors: Vectors, offset: number) {
    this.#v = vectors
    this.#offset = offset
    this.bytes = vectorStateBytes(vectors.bytes)
  }

  /**
   * The elements that a step left, or that a step begins with: loaded when they are first used.
   * @param facts what a vocabulary knows about element `i`, beside its vectors
   */
  load<Facts extends object>(elements: number, facts: (i: number) => Facts): (VectorPair & Facts)[] {
    const version = ++this.#version
    return Array.from({ length: elements }, (_, i) => {
      const load = (place: Memory) => {
        if (version !== this.#version) throw new Error("an element is read after its state has changed")
        return this.#v.load(place)
      }
      return Object.assign(new StoredElement(i, version, this.#places(i), load), facts(i))
    })
  }

  /** Stores elements, but for those that stand where they should. */
  store(state: readonly VectorPair[]): void {
    const moved = state.flatMap((x, i) => {
      if (x instanceof StoredElement && x.index === i && x.version === this.#version) return []
      return [{ i, low: x.low, high: x.high }]
    })
    for (const { i, low, high } of moved) {
      const [lowPlace, highPlace] = this.#places(i)
      this.#v.store(lowPlace, low)
      this.#v.store(highPlace, high)
    }
  }

  #places(i: number): readonly [Memory, Memory] {
    const at = (n: number) => memory(STATE_POINTER, this.#offset + n * this.#v.bytes)
    return [at(2 * i), at(2 * i + 1)]
  }
}

class StoredElement implements VectorPair {
  readonly #places: readonly [low: Memory, high: Memory]
  readonly #loadFrom: (place: Memory) => Vector
  #low: Vector | undefined
  #high: Vector | undefined

  constructor(
    readonly index: number,
    readonly version: number,
    places: readonly [low: Memory, high: Memory],
    loadFrom: (place: Memory) => Vector,
  ) {
    this.#places = places
    this.#loadFrom = loadFrom
  }

  get low(): Vector {
    this.#low ??= this.#loadFrom(this.#places[0])
    return this.#low
  }

  get high(): Vector {
    this.#high ??= this.#loadFrom(this.#places[1])
    return this.#high
  }
}
