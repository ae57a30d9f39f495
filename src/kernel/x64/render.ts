/**
 * The search program as machine code: entry points that take the context's address in rdi, and what they share.
 */
import { WIDTH } from "../../pow/constants.ts"
import { ROW } from "../kernel.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { immediate, type Label, type Memory, memory, r32, r64, rdi } from "./assembler/operands.ts"
import type { Feature } from "./assembler/table.ts"
import { Routine, type RoutineOptions, type Statistics } from "./compiler/routine.ts"
import { type ContextLayout, contextLayout } from "./context.ts"
import { Steps, type VectorOps } from "./steps.ts"
import type { Vector, Vectors } from "./vectors.ts"

export interface Target<V, W> {
  readonly routine: RoutineOptions
  /** Vectors worked on together. */
  readonly streams: number
  vectors(routine: Routine): Vectors
  ops(vectors: Vectors, steps: Steps): VectorOps<V, W>
}

export interface RenderedKernel {
  readonly code: Uint8Array
  readonly layout: ContextLayout
  /** Nonces of a batch, and of one vector. */
  readonly lanes: number
  readonly vectorLanes: number
  readonly needs: ReadonlySet<Feature>
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<"permute" | "preparePlane" | "searchRow" | "searchRange", number>>
  readonly statistics: Statistics
}

/** Pointer to the words of the current batch's columns, and the batches left; steps leave them alone. */
export const BATCH_POINTER = r64(8)
const BATCHES_LEFT = r64(9)
const COUNTER = r64(10)
const MASK_POINTER = r64(11)

export function renderKernel<V, W>(target: Target<V, W>): RenderedKernel {
  const routine = new Routine(target.routine)
  const vectors = target.vectors(routine)
  const layout = contextLayout(vectors.bytes, target.streams)
  const steps = new Steps(vectors, layout.state)
  const ops = target.ops(vectors, steps)
  const renderer = new Renderer(routine, vectors, steps, ops, layout)
  const labels = {
    permute: renderer.permute(),
    preparePlane: renderer.preparePlane(),
    searchRow: renderer.searchRow(),
    searchRange: renderer.searchRange(),
  }
  routine.hot = true
  renderer.test()
  steps.finish()
  const code = routine.finish()
  const offset = (label: Label) => routine.offsetOf(label)
  return {
    code,
    layout,
    lanes: vectors.lanes * ops.streams,
    vectorLanes: vectors.lanes,
    needs: routine.needs,
    entries: {
      permute: offset(labels.permute),
      preparePlane: offset(labels.preparePlane),
      searchRow: offset(labels.searchRow),
      searchRange: offset(labels.searchRange),
    },
    statistics: routine.statistics,
  }
}

class Renderer<V, W> {
  readonly #testEntry: Label

  constructor(
    private readonly routine: Routine,
    private readonly v: Vectors,
    private readonly steps: Steps,
    private readonly ops: VectorOps<V, W>,
    private readonly layout: ContextLayout,
  ) {
    this.#testEntry = routine.label("test")
  }

  /** OUTPUT from INPUT. */
  permute(): Label {
    return this.#entry("permute", () => {
      const state = permutation(this.ops, this.#input())
      state.forEach((x, i) => {
        this.v.store(this.#at(this.layout.output + i * this.v.bytes), this.ops.toWords(x)[0]!)
      })
    })
  }

  /** PLANE and COLUMNS from INPUT. */
  preparePlane(): Label {
    return this.#entry("preparePlane", () => {
      this.ops.keep(this.#at(this.layout.plane), plane(this.ops, this.#input()))
      this.#overBatches(
        () => this.routine.control("mov", BATCHES_LEFT, immediate(ROW / this.#lanes)),
        () => {
          const columns = columnPart(this.ops, this.#plane(), this.ops.fromWords(this.#counters()))
          columns.forEach((x, i) => {
            this.ops.toWords(x).forEach((words, s) => {
              this.v.store(memory(BATCH_POINTER, 8 * ROW * i + s * this.v.bytes), words)
            })
          })
        },
      )
    })
  }

  /** MASKS of row FIRST of the plane. */
  searchRow(): Label {
    return this.#entry("searchRow", () => {
      const t0 = this.#everywhere(this.v.broadcastWord(this.#at(this.layout.first)))
      this.ops.keep(this.#at(this.layout.rowPart), rowPart(this.ops, this.#plane(), t0))
      this.#overBatches(
        () => this.routine.control("mov", BATCHES_LEFT, immediate(ROW / this.#lanes)),
        () => {
          const columns = Array.from({ length: WIDTH }, (_, i) =>
            this.ops.fromWords(
              this.#perStream(s => this.v.load(memory(BATCH_POINTER, 8 * ROW * i + s * this.v.bytes))),
            ),
          )
          this.#test(crossing(this.ops, this.ops.kept(this.#at(this.layout.rowPart), WIDTH), columns))
        },
      )
    })
  }

  /** MASKS of BATCHES batches of counters from FIRST on. */
  searchRange(): Label {
    return this.#entry("searchRange", () => {
      this.#overBatches(
        () => this.routine.control("mov", BATCHES_LEFT, this.#at(this.layout.batches)),
        () => {
          const first = this.v.broadcastWord(this.#at(this.layout.first))
          const limb = this.ops.fromWords(
            this.#counters().map(counters =>
              this.v.shuffleBytes(this.v.add(counters, first), this.v.pattern(SWAP_LOW)),
            ),
          )
          const state = this.#input()
          const last = this.ops.reduce(this.ops.add(this.ops.widen(state[7]!), this.ops.widen(limb)))
          this.#test(firstRound(this.ops, state.with(7, last)))
        },
      )
    })
  }

  #test(afterFirstRound: readonly V[]): void {
    this.ops.storeState(afterFirstRound)
    this.routine.control("call", this.#testEntry)
  }

  /** A subroutine: stores which lanes' hashes are above the target, from the state after the first round. */
  test(): void {
    const { v } = this
    this.routine.bind(this.#testEntry)
    const hashes = this.ops.toWords(hashElement(this.ops, this.ops.loadState(WIDTH)))
    const target = v.broadcastWord(this.#at(this.layout.target))
    const sign = v.constant(2n ** 63n)
    hashes.forEach((words, s) => {
      // The hash's first eight bytes are its first element little-endian; as a U512's they are read big-endian.
      const top = v.shuffleBytes(words, v.pattern(SWAP))
      v.storeAbove(memory(MASK_POINTER, 4 * s), v.xor(top, sign), target)
    })
    this.routine.control("add", MASK_POINTER, immediate(4 * this.ops.streams))
    this.routine.control("ret")
  }

  /** A loop over batches: BATCH_POINTER, COUNTER and MASK_POINTER move on with each. */
  #overBatches(setCount: () => void, body: () => void): void {
    const { routine, layout } = this
    const top = routine.label("batch")
    routine.control("lea", BATCH_POINTER, this.#at(layout.columns))
    routine.control("lea", MASK_POINTER, this.#at(layout.masks))
    routine.control("xor", r32(COUNTER.n), r32(COUNTER.n))
    setCount()
    routine.bind(top)
    body()
    routine.control("add", BATCH_POINTER, immediate(8 * this.#lanes))
    routine.control("add", COUNTER, immediate(this.#lanes))
    routine.control("sub", BATCHES_LEFT, immediate(1))
    routine.control("jnz", top)
  }

  #entry(name: string, body: () => void): Label {
    const label = this.routine.label(name)
    this.routine.bind(label)
    this.steps.begin()
    body()
    this.routine.control("vzeroupper")
    this.routine.control("ret")
    return label
  }

  #input(): V[] {
    return Array.from({ length: WIDTH }, (_, i) =>
      this.#everywhere(this.v.broadcastWord(this.#at(this.layout.input + 8 * i))),
    )
  }

  #plane(): V[] {
    return this.ops.kept(this.#at(this.layout.plane), WIDTH)
  }

  /** The nonces' numbers within the row or range, by stream. */
  #counters(): Vector[] {
    const first = this.v.fromInteger(COUNTER)
    return this.#perStream(s => this.v.add(first, this.v.pattern(LANES.map(lane => lane + BigInt(s * this.v.lanes)))))
  }

  get #lanes(): number {
    return this.v.lanes * this.ops.streams
  }

  #everywhere(words: Vector): V {
    return this.ops.fromWords(this.#perStream(() => words))
  }

  #perStream<T>(of: (stream: number) => T): T[] {
    return Array.from({ length: this.ops.streams }, (_, s) => of(s))
  }

  #at(offset: number): Memory {
    return memory(rdi, offset)
  }
}

/** Byte orders for each 16 bytes: both words reversed; the low halves reversed, the high halves 0. */
const SWAP = [0x0001020304050607n, 0x08090a0b0c0d0e0fn]
const SWAP_LOW = [0x8080808000010203n, 0x8080808008090a0bn]
const LANES = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]
