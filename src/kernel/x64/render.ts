/**
 * The search program as machine code: entry points that take the context's address in rdi, and what they share.
 */
import { WIDTH } from "../../pow/constants.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import {
  immediate,
  type Label,
  type Memory,
  memory,
  type Operand,
  type Register,
  r64,
  rax,
  rbp,
  rbx,
  rdi,
  type VirtualRegister,
} from "./assembler/operands.ts"
import type { Feature } from "./assembler/table.ts"
import type { BatchOps } from "./batch-ops.ts"
import { Routine, type RoutineOptions, type Statistics } from "./compiler/routine.ts"
import { type ContextLayout, contextLayout, type Shape } from "./context.ts"
import type { IntegerOps } from "./integer-ops.ts"
import { Steps } from "./steps.ts"
import type { Place, Unit, Value } from "./unit.ts"
import type { Vectors } from "./vectors.ts"

export interface Target {
  readonly routine: RoutineOptions
  readonly shape: Shape
  vectors(routine: Routine): Vectors
  /** `all` works on a batch of nonces, `one` on a single state: for what all nonces share. */
  ops(routine: Routine, vectors: Vectors, steps: Steps): { all: BatchOps<unknown, unknown>; one: IntegerOps }
}

export interface RenderedKernel {
  readonly code: Uint8Array
  readonly layout: ContextLayout
  /** Nonces of each unit of a batch, in their order. */
  readonly lanes: readonly number[]
  readonly needs: ReadonlySet<Feature>
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<"permute" | "preparePlane" | "searchRow" | "searchRange", number>>
  readonly statistics: Statistics
}

export function renderKernel(target: Target): RenderedKernel {
  const routine = new Routine(target.routine)
  const vectors = target.vectors(routine)
  const layout = contextLayout(target.shape)
  const steps = new Steps(vectors, layout.state)
  const { all, one } = target.ops(routine, vectors, steps)
  const renderer = new Renderer(routine, steps, all, one, layout)
  const labels = {
    permute: renderer.permute(),
    preparePlane: renderer.preparePlane(),
    searchRow: renderer.searchRow(),
    searchRange: renderer.searchRange(),
  }
  renderer.test()
  routine.hot = true
  steps.finish()
  const code = routine.finish()
  const offset = (label: Label) => routine.offsetOf(label)
  return {
    code,
    layout,
    lanes: all.units.map(({ lanes }) => lanes),
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
  readonly #units: readonly Unit[]
  /** The first lane of each unit. */
  readonly #firstLanes: readonly number[]
  readonly #lanes: number

  constructor(
    private readonly routine: Routine,
    private readonly steps: Steps,
    private readonly ops: BatchOps<V, W>,
    private readonly one: IntegerOps,
    private readonly layout: ContextLayout,
  ) {
    this.#testEntry = routine.label("test")
    this.#units = ops.units
    let lanes = 0
    this.#firstLanes = ops.units.map(unit => (lanes += unit.lanes) - unit.lanes)
    this.#lanes = lanes
  }

  /** OUTPUT from INPUT. */
  permute(): Label {
    return this.#entry("permute", () => {
      const [unit] = this.one.units
      permutation(this.one, this.#input()).forEach((x, i) => {
        unit!.store(this.#at(this.layout.output + 8 * i), this.one.toWords(x)[0]!)
      })
    })
  }

  /** PLANE and COLUMNS from INPUT. */
  preparePlane(): Label {
    return this.#entry("preparePlane", () => {
      this.one.keep(this.#at(this.layout.plane), plane(this.one, this.#input()))
      this.#overBatches(immediate(this.layout.rowBatches), () => {
        const columns = columnPart(this.ops, this.#everywhere(this.layout.plane), this.ops.fromWords(this.#counters()))
        const places = this.#columns()
        columns.forEach((x, i) => {
          this.ops.toWords(x).forEach((words, u) => {
            this.#units[u]!.store(places(i, u), words)
          })
        })
      })
    })
  }

  /** MASKS of row FIRST of the plane. */
  searchRow(): Label {
    return this.#entry("searchRow", () => {
      const plane = this.one.kept(this.#at(this.layout.plane), WIDTH)
      this.one.keep(this.#at(this.layout.rowPart), rowPart(this.one, plane, this.#at(this.layout.first)))
      this.#overBatches(immediate(this.layout.rowBatches), () => {
        const places = this.#columns()
        const columns = Array.from({ length: WIDTH }, (_, i) =>
          this.ops.fromWords(this.#perUnit((unit, u) => unit.load(places(i, u)))),
        )
        this.#test(crossing(this.ops, this.#everywhere(this.layout.rowPart), columns))
      })
    })
  }

  /** MASKS of BATCHES batches of counters from FIRST on. */
  searchRange(): Label {
    return this.#entry("searchRange", () => {
      this.#overBatches(this.#at(this.layout.batches), () => {
        const counters = this.#counters()
        const limbs = this.#perUnit((unit, u) =>
          unit.reverseLowBytes(unit.add(counters[u]!, unit.broadcastWord(this.#at(this.layout.first)))),
        )
        const state = this.#everywhere(this.layout.input)
        const last = this.ops.add(this.ops.widen(state[7]!), this.ops.widen(this.ops.fromWords(limbs)))
        this.#test(firstRound(this.ops, state.with(7, this.ops.reduce(last))))
      })
    })
  }

  #test(afterFirstRound: readonly V[]): void {
    this.ops.storeState(afterFirstRound)
    this.routine.control("call", this.#testEntry)
  }

  /** A subroutine: stores which lanes' hashes are above the target, from the state after the first round. */
  test(): void {
    this.routine.bind(this.#testEntry)
    const hashes = this.ops.toWords(hashElement(this.ops, this.ops.loadState(WIDTH)))
    const masks = this.#pointer(this.layout.batchMasks)
    this.#units.forEach((unit, u) => {
      // The hash's first eight bytes are its first element little-endian; as a U512's they are read big-endian.
      const top = unit.xor(unit.reverseBytes(hashes[u]!), unit.constant(2n ** 63n))
      unit.storeAbove(memory(masks, 4 * u), top, unit.broadcastWord(this.#at(this.layout.target)))
    })
    this.routine.control("ret")
  }

  #overBatches(count: Operand, body: () => void): void {
    const { routine, layout } = this
    const top = routine.label("batch")
    routine.control("mov", rax, count)
    routine.control("mov", this.#at(layout.batchesLeft), rax)
    for (const [pointer, start] of [
      [layout.batchColumns, layout.columns],
      [layout.batchMasks, layout.masks],
    ] as const) {
      routine.control("lea", rax, this.#at(start))
      routine.control("mov", this.#at(pointer), rax)
    }
    routine.control("mov", this.#at(layout.batchCounter), immediate(0))
    routine.bind(top)
    body()
    routine.control("add", this.#at(layout.batchColumns), immediate(8 * this.#lanes))
    routine.control("add", this.#at(layout.batchMasks), immediate(4 * this.#units.length))
    routine.control("add", this.#at(layout.batchCounter), immediate(this.#lanes))
    routine.control("sub", this.#at(layout.batchesLeft), immediate(1))
    routine.control("jnz", top)
  }

  #entry(name: string, body: () => void): Label {
    const label = this.routine.label(name)
    this.routine.bind(label)
    for (const register of PRESERVED) this.routine.control("push", register)
    this.steps.begin()
    body()
    this.routine.control("vzeroupper")
    for (const register of PRESERVED.toReversed()) this.routine.control("pop", register)
    this.routine.control("ret")
    return label
  }

  #input(): Value[] {
    return this.one.kept(this.#at(this.layout.input), WIDTH)
  }

  /** The nonces' numbers within the row or range, by unit. */
  #counters(): Value[] {
    return this.#perUnit((unit, u) => unit.counters(this.#at(this.layout.batchCounter), this.#firstLanes[u]!))
  }

  /** Where a unit's words of an element of the batch's columns stand. */
  #columns(): (element: number, unit: number) => Place {
    const columns = this.#pointer(this.layout.batchColumns)
    return (element, unit) => memory(columns, 8 * (this.layout.rowColumns * element + this.#firstLanes[unit]!))
  }

  /** A pointer of the context's, in a register until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.routine.register("r64")
    this.routine.emit("mov", pointer, this.#at(offset))
    return pointer
  }

  /** The words of a state from an offset on, in every lane of every unit. */
  #everywhere(offset: number): V[] {
    return Array.from({ length: WIDTH }, (_, i) => {
      const words = new Map<Unit, Value>()
      return this.ops.fromWords(
        this.#perUnit(unit => {
          const word = words.get(unit) ?? unit.broadcastWord(this.#at(offset + 8 * i))
          words.set(unit, word)
          return word
        }),
      )
    })
  }

  #perUnit<T>(of: (unit: Unit, u: number) => T): T[] {
    return this.#units.map(of)
  }

  #at(offset: number): Memory {
    return memory(rdi, offset)
  }
}

/** What a called function leaves as it was (System V), of what is used here. */
const PRESERVED: readonly Register[] = [rbx, rbp, ...[12, 13, 14, 15].map(r64)]
