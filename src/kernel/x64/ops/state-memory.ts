/** The state that a step receives and returns: in memory, two vectors per element. */
import { WIDTH } from "../../../pow/constants.ts"
import { type Memory, memory } from "../assembler/operands.ts"
import type { Vector, Vectors } from "../registers/vectors.ts"
import { STATE_POINTER } from "./steps.ts"

interface VectorPair {
  readonly low: Vector
  readonly high: Vector
}

/** @returns the size in bytes of the state of one vector of nonces */
export const vectorStateBytes = (vectorBytes: number): number => 2 * WIDTH * vectorBytes

export class StateMemory {
  readonly #v: Vectors
  readonly #offset: number
  /** Incremented by every load, which invalidates earlier elements. */
  #version = 0

  /** Size in bytes of a whole state. */
  readonly bytes: number

  /** @param offset bytes from `STATE_POINTER` */
  constructor(vectors: Vectors, offset: number) {
    this.#v = vectors
    this.#offset = offset
    this.bytes = vectorStateBytes(vectors.bytes)
  }

  /**
   * @param facts what the vocabulary knows about element `i`, e.g. its range
   * @returns the elements of the stored state, each loaded on first use and valid until the next `load`
   */
  load<Facts extends object>(elements: number, facts: (i: number) => Facts): (VectorPair & Facts)[] {
    const version = ++this.#version
    return Array.from({ length: elements }, (_, i) => {
      const load = (place: Memory) => {
        if (version !== this.#version) throw new Error("an element was read after its state changed")
        return this.#v.load(place)
      }
      return Object.assign(new StoredElement(i, version, this.#places(i), load), facts(i))
    })
  }

  /** Stores elements, except those that are already in place. */
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
