/**
 * The search program as machine code: entry points that take the context's address in rdi, and what they share.
 */
import { WIDTH } from "../../../pow/constants.ts"
import { permutation } from "../../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../../search.ts"
import type { AssemblyObserver } from "../assembler/assembler.ts"
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
} from "../assembler/operands.ts"
import type { Feature } from "../assembler/table.ts"
import { Routine, type RoutineOptions, type Statistics } from "../compiler/routine.ts"
import type { BatchOps } from "../ops/batch-ops.ts"
import type { IntegerOps } from "../ops/integer-ops.ts"
import { STATE_POINTER, Steps } from "../ops/steps.ts"
import type { LaneSet, Place, Value } from "../registers/lane-set.ts"
import type { Vectors } from "../registers/vectors.ts"
import { type ContextLayout, contextLayout, type Shape } from "./context.ts"

export interface RenderTarget {
  readonly routine: RoutineOptions
  readonly shape: Shape
  vectors(routine: Routine): Vectors
  ops(routine: Routine, vectors: Vectors, steps: Steps): RenderOps
}

export interface RenderOps {
  /** Works on a batch of nonces; */
  readonly batch: BatchOps<unknown, unknown>
  /** each of these, which are alike, on a part of it; */
  readonly groups: readonly BatchOps<unknown, unknown>[]
  /** and this on a single state, for what all nonces share. */
  readonly one: IntegerOps
  /** The steps of all of these, to be rendered after everything else. */
  readonly steps: readonly Steps[]
}

export interface RenderedKernel {
  /** Machine code, then constants. */
  readonly code: Uint8Array
  /** Bytes of machine code. */
  readonly codeBytes: number
  readonly layout: ContextLayout
  /** Nonces of each unit of a batch, in their order. */
  readonly lanes: readonly number[]
  readonly needs: ReadonlySet<Feature>
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<"permute" | "preparePlane" | "searchRow" | "searchRange", number>>
  readonly statistics: Statistics
}

/** @param observer receives the code in the order of its addresses */
export function renderKernel(target: RenderTarget, observer?: AssemblyObserver): RenderedKernel {
  const routine = new Routine(target.routine, observer)
  const vectors = target.vectors(routine)
  const layout = contextLayout(target.shape)
  const steps = new Steps(vectors, layout.state)
  const ops = target.ops(routine, vectors, steps)
  const renderer = new Renderer(routine, steps, ops, layout)
  const labels = {
    permute: renderer.permute(),
    preparePlane: renderer.preparePlane(),
    searchRow: renderer.searchRow(),
    searchRange: renderer.searchRange(),
  }
  renderer.test()
  routine.hot = true
  for (const each of ops.steps) each.finish()
  const end = routine.label("end")
  routine.bind(end)
  const code = routine.finish()
  const offset = (label: Label) => routine.offsetOf(label)
  return {
    code,
    codeBytes: offset(end),
    layout,
    lanes: ops.batch.laneSets.map(({ lanes }) => lanes),
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

class Renderer {
  readonly #routine: Routine
  readonly #steps: Steps
  readonly #layout: ContextLayout
  readonly #testEntry: Label
  readonly #one: IntegerOps
  readonly #batch: BatchOps<unknown, unknown>
  /** The first group, and how many there are. */
  readonly #group: BatchOps<unknown, unknown>
  readonly #groups: number
  /** The first lane of each unit of a group, and how many the group has. */
  readonly #firstLanes: readonly number[]
  readonly #groupLanes: number

  constructor(routine: Routine, steps: Steps, { one, batch, groups }: RenderOps, layout: ContextLayout) {
    this.#routine = routine
    this.#steps = steps
    this.#layout = layout
    this.#testEntry = routine.label("test")
    this.#one = one
    this.#batch = batch
    this.#group = groups[0]!
    this.#groups = groups.length
    let lanes = 0
    this.#firstLanes = this.#group.laneSets.map(laneSet => (lanes += laneSet.lanes) - laneSet.lanes)
    this.#groupLanes = lanes
  }

  /** OUTPUT from INPUT. */
  permute(): Label {
    return this.#entry("permute", () => {
      const [laneSet] = this.#one.laneSets
      permutation(this.#one, this.#input()).forEach((x, i) => {
        laneSet!.store(this.#at(this.#layout.output + 8 * i), this.#one.toWords(x)[0]!)
      })
    })
  }

  /** PLANE and COLUMNS from INPUT. */
  preparePlane(): Label {
    return this.#entry("preparePlane", () => {
      this.#one.keep(this.#at(this.#layout.plane), plane(this.#one, this.#input()))
      this.#overBatches(immediate(this.#layout.rowBatches), () => {
        const columns = columnPart(
          this.#group,
          this.#everywhere(this.#layout.plane),
          this.#group.fromWords(this.#counters()),
        )
        const places = this.#columns()
        columns.forEach((x, i) => {
          this.#group.toWords(x).forEach((words, u) => {
            this.#group.laneSets[u]!.store(places(i, u), words)
          })
        })
      })
    })
  }

  /** MASKS of row FIRST of the plane. */
  searchRow(): Label {
    return this.#entry("searchRow", () => {
      const plane = this.#one.kept(this.#at(this.#layout.plane), WIDTH)
      this.#one.keep(this.#at(this.#layout.rowPart), rowPart(this.#one, plane, this.#at(this.#layout.first)))
      this.#overBatches(
        immediate(this.#layout.rowBatches),
        () => {
          const places = this.#columns()
          const columns = Array.from({ length: WIDTH }, (_, i) =>
            this.#group.fromWords(this.#perLaneSet((laneSet, u) => laneSet.load(places(i, u)))),
          )
          this.#group.storeState(crossing(this.#group, this.#everywhere(this.#layout.rowPart), columns))
        },
        this.#test,
      )
    })
  }

  /** MASKS of BATCHES batches of counters from FIRST on. */
  searchRange(): Label {
    return this.#entry("searchRange", () => {
      this.#overBatches(
        this.#at(this.#layout.batches),
        () => {
          const counters = this.#counters()
          const limbs = this.#perLaneSet((laneSet, u) =>
            laneSet.reverseLowBytes(laneSet.add(counters[u]!, laneSet.broadcastWord(this.#at(this.#layout.first)))),
          )
          const state = this.#everywhere(this.#layout.input)
          const last = this.#group.add(this.#group.widen(state[7]!), this.#group.widen(this.#group.fromWords(limbs)))
          this.#group.storeState(firstRound(this.#group, state.with(7, this.#group.reduce(last))))
        },
        this.#test,
      )
    })
  }

  /** A subroutine: stores which lanes' hashes are above the target, from the state after the first round. */
  test(): void {
    const [layout, routine] = [this.#layout, this.#routine]
    const batch = this.#batch
    routine.bind(this.#testEntry)
    const hashes = batch.toWords(hashElement(batch, batch.loadState(WIDTH)))
    const masks = this.#pointer(layout.nextMasks)
    batch.laneSets.forEach((laneSet, u) => {
      // The hash's first eight bytes are its first element little-endian; as a U512's they are read big-endian.
      const top = laneSet.xor(laneSet.reverseBytes(hashes[u]!), laneSet.constant(2n ** 63n))
      laneSet.storeAbove(memory(masks, 4 * u), top, laneSet.broadcastWord(this.#at(layout.target)))
    })
    routine.control("add", this.#at(layout.nextMasks), immediate(4 * batch.laneSets.length))
    routine.control("ret")
  }

  /** A loop over batches, in each of which is one over its groups: `ofGroup` works where the group's state stands. */
  #overBatches(count: Operand, ofGroup: () => void, ofBatch: () => void = () => {}): void {
    const [layout, routine] = [this.#layout, this.#routine]
    const [nextBatch, nextGroup] = [routine.label("batch"), routine.label("group")]
    routine.control("mov", rax, count)
    routine.control("mov", this.#at(layout.batchesLeft), rax)
    for (const [next, start] of [
      [layout.nextColumns, layout.columns],
      [layout.nextMasks, layout.masks],
    ] as const) {
      routine.control("lea", rax, this.#at(start))
      routine.control("mov", this.#at(next), rax)
    }
    routine.control("mov", this.#at(layout.nextCounter), immediate(0))
    routine.bind(nextBatch)
    routine.control("mov", this.#at(layout.groupsLeft), immediate(this.#groups))
    routine.bind(nextGroup)
    ofGroup()
    routine.control("add", STATE_POINTER, immediate(this.#group.stateBytes))
    routine.control("add", this.#at(layout.nextColumns), immediate(8 * this.#groupLanes))
    routine.control("add", this.#at(layout.nextCounter), immediate(this.#groupLanes))
    routine.control("sub", this.#at(layout.groupsLeft), immediate(1))
    routine.control("jnz", nextGroup)
    routine.control("sub", STATE_POINTER, immediate(this.#batch.stateBytes))
    ofBatch()
    routine.control("sub", this.#at(layout.batchesLeft), immediate(1))
    routine.control("jnz", nextBatch)
  }

  readonly #test = (): void => this.#routine.control("call", this.#testEntry)

  #entry(name: string, body: () => void): Label {
    const label = this.#routine.label(name)
    this.#routine.bind(label)
    for (const register of PRESERVED) this.#routine.control("push", register)
    this.#steps.begin()
    body()
    this.#routine.control("vzeroupper")
    for (const register of PRESERVED.toReversed()) this.#routine.control("pop", register)
    this.#routine.control("ret")
    return label
  }

  #input(): Value[] {
    return this.#one.kept(this.#at(this.#layout.input), WIDTH)
  }

  /** The group's nonces' numbers within the row or range, by unit. */
  #counters(): Value[] {
    return this.#perLaneSet((laneSet, u) => laneSet.counters(this.#at(this.#layout.nextCounter), this.#firstLanes[u]!))
  }

  /** Where a unit's words of an element of the group's columns stand. */
  #columns(): (element: number, laneSet: number) => Place {
    const columns = this.#pointer(this.#layout.nextColumns)
    return (element, laneSet) => memory(columns, 8 * (this.#layout.rowColumns * element + this.#firstLanes[laneSet]!))
  }

  /** A pointer of the context's, in a register until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.#routine.register("r64")
    this.#routine.emit("mov", pointer, this.#at(offset))
    return pointer
  }

  /** The words of a state from an offset on, in every lane of every unit. */
  #everywhere(offset: number): unknown[] {
    return Array.from({ length: WIDTH }, (_, i) =>
      this.#group.fromWords(this.#perLaneSet(laneSet => laneSet.broadcastWord(this.#at(offset + 8 * i)))),
    )
  }

  #perLaneSet<T>(of: (laneSet: LaneSet, u: number) => T): T[] {
    return this.#group.laneSets.map(of)
  }

  #at(offset: number): Memory {
    return memory(rdi, offset)
  }
}

/** What a called function leaves as it was (System V), of what is used here. */
const PRESERVED: readonly Register[] = [rbx, rbp, ...[12, 13, 14, 15].map(r64)]
