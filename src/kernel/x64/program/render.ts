/**
 * Renders the search program as machine code: entry points that take the address of the context in rdi, and the
 * subroutines that they share.
 */
import { WIDTH } from "../../../pow/constants.ts"
import type { Schedules } from "../../compiler/block-schedule.ts"
import type { HotBlock, RoutineOptions, Statistics } from "../../compiler/recorder.ts"
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
import { Routine } from "../compiler/routine.ts"
import type { BatchOps } from "../ops/batch-ops.ts"
import type { IntegerOps } from "../ops/integer-ops.ts"
import { STATE_POINTER, type Steps } from "../ops/steps.ts"
import type { LaneSet, Place, Value } from "../registers/lane-set.ts"
import type { ContextLayout } from "./context.ts"

/** An instruction set, a representation and a core model that kernels are rendered for. */
export interface RenderTarget {
  readonly routine: RoutineOptions
  readonly layout: ContextLayout
  ops(routine: Routine): RenderOps
}

export interface RenderOps {
  /** Computes on a whole batch of nonces. */
  readonly batch: BatchOps<unknown, unknown>
  /** Each computes on an equal part of the batch. */
  readonly groups: readonly BatchOps<unknown, unknown>[]
  /** Computes on a single state, for values that all nonces share. */
  readonly one: IntegerOps
  /** The steps of all vocabularies above, the batch's first, to be rendered after the entry points. */
  readonly steps: readonly [Steps, ...Steps[]]
}

export interface RenderedKernel {
  /** Machine code, followed by its constants. */
  readonly code: Uint8Array
  /** Size in bytes of the machine code without constants. */
  readonly codeBytes: number
  readonly layout: ContextLayout
  /** Lanes of each lane set of a batch, in the order of the nonces. */
  readonly lanes: readonly number[]
  /** The CPU features that the code requires. */
  readonly needs: ReadonlySet<Feature>
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<"permute" | "preparePlane" | "searchRow" | "searchRange", number>>
  readonly statistics: Statistics
  readonly hotBlocks: readonly HotBlock[]
  /** Changes to the schedules that it was rendered with. */
  readonly schedules: Schedules
}

/** @param observer receives labels and instructions in address order */
export function renderKernel(renderTarget: RenderTarget, observer?: AssemblyObserver): RenderedKernel {
  const routine = new Routine(renderTarget.routine, observer)
  const { layout } = renderTarget
  const ops = renderTarget.ops(routine)
  const renderer = new Renderer(routine, ops, layout)
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
    hotBlocks: routine.hotBlocks,
    schedules: renderTarget.routine.schedules ?? {},
  }
}

class Renderer {
  readonly #routine: Routine
  readonly #steps: Steps
  readonly #layout: ContextLayout
  readonly #testEntry: Label
  readonly #one: IntegerOps
  readonly #batch: BatchOps<unknown, unknown>
  /** The first group. The same code runs for all groups. */
  readonly #group: BatchOps<unknown, unknown>
  /** Groups per batch. */
  readonly #groups: number
  /** The number, within the group, of each lane set's first lane. */
  readonly #firstLanes: readonly number[]
  /** Lanes per group. */
  readonly #groupLanes: number

  constructor(routine: Routine, { one, batch, groups, steps }: RenderOps, layout: ContextLayout) {
    this.#routine = routine
    this.#steps = steps[0]
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

  /** Entry point: OUTPUT = the permutation of INPUT. */
  permute(): Label {
    return this.#entry("permute", () => {
      const [laneSet] = this.#one.laneSets
      permutation(this.#one, this.#input()).forEach((x, i) => {
        laneSet!.store(this.#at(this.#layout.output + 8 * i), this.#one.toWords(x)[0]!)
      })
    })
  }

  /** Entry point: computes PLANE and COLUMNS from INPUT. */
  preparePlane(): Label {
    return this.#entry("preparePlane", () => {
      this.#one.storeAt(this.#at(this.#layout.plane), plane(this.#one, this.#input()))
      this.#overBatches(immediate(this.#layout.rowBatches), () => {
        const columns = columnPart(
          this.#group,
          this.#everywhere(this.#layout.plane),
          this.#group.fromWords(this.#counters()),
        )
        const places = this.#columns()
        columns.forEach((x, i) => {
          this.#group.toWords(x).forEach((words, k) => {
            this.#group.laneSets[k]!.store(places(i, k), words)
          })
        })
      })
    })
  }

  /** Entry point: computes the RESULTS of row t0 = FIRST of the plane. */
  searchRow(): Label {
    return this.#entry("searchRow", () => {
      const plane = this.#one.elementsAt(this.#at(this.#layout.plane), WIDTH)
      this.#one.storeAt(this.#at(this.#layout.rowPart), rowPart(this.#one, plane, this.#at(this.#layout.first)))
      this.#overBatches(
        immediate(this.#layout.rowBatches),
        () => {
          const places = this.#columns()
          const columns = Array.from({ length: WIDTH }, (_, i) =>
            this.#group.fromWords(this.#perLaneSet((laneSet, k) => laneSet.load(places(i, k)))),
          )
          this.#group.storeState(crossing(this.#group, this.#everywhere(this.#layout.rowPart), columns))
        },
        this.#test,
      )
    })
  }

  /** Entry point: computes the RESULTS of BATCHES batches of counters, starting at FIRST, on the state INPUT. */
  searchRange(): Label {
    return this.#entry("searchRange", () => {
      this.#overBatches(
        this.#at(this.#layout.batches),
        () => {
          const counters = this.#counters()
          const limbs = this.#perLaneSet((laneSet, k) =>
            laneSet.reverseLowBytes(laneSet.add(counters[k]!, laneSet.broadcastWord(this.#at(this.#layout.first)))),
          )
          const state = this.#everywhere(this.#layout.input)
          const last = this.#group.add(this.#group.widen(state[7]!), this.#group.widen(this.#group.fromWords(limbs)))
          this.#group.storeState(firstRound(this.#group, state.with(7, this.#group.reduce(last))))
        },
        this.#test,
      )
    })
  }

  /** Subroutine: hashes the batch from its state after the first round and stores a mask of the lanes above TARGET. */
  test(): void {
    const [layout, routine] = [this.#layout, this.#routine]
    const batch = this.#batch
    routine.bind(this.#testEntry)
    const hashes = batch.toWords(hashElement(batch, batch.loadState(WIDTH)))
    const masks = this.#pointer(layout.nextResults)
    batch.laneSets.forEach((laneSet, k) => {
      // The first element is written to the hash in little-endian order; the target compares the hash as big-endian.
      const top = laneSet.xor(laneSet.reverseBytes(hashes[k]!), laneSet.constant(2n ** 63n))
      laneSet.storeAbove(memory(masks, 4 * k), top, laneSet.broadcastWord(this.#at(layout.target)))
    })
    routine.control("add", this.#at(layout.nextResults), immediate(4 * batch.laneSets.length))
    routine.control("ret")
  }

  /**
   * Loop over batches: `ofGroup` runs once per group, with `STATE_POINTER` at the group's state, then `ofBatch` once.
   * @param count number of batches
   */
  #overBatches(count: Operand, ofGroup: () => void, ofBatch: () => void = () => {}): void {
    const [layout, routine] = [this.#layout, this.#routine]
    const [nextBatch, nextGroup] = [routine.label("batch"), routine.label("group")]
    routine.control("mov", rax, count)
    routine.control("mov", this.#at(layout.batchesLeft), rax)
    for (const [next, start] of [
      [layout.nextColumns, layout.columns],
      [layout.nextResults, layout.results],
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
    this.#steps.end()
    for (const register of PRESERVED.toReversed()) this.#routine.control("pop", register)
    this.#routine.control("ret")
    return label
  }

  #input(): Value[] {
    return this.#one.elementsAt(this.#at(this.#layout.input), WIDTH)
  }

  /** The numbers of the group's nonces within the row or range, by lane set. */
  #counters(): Value[] {
    return this.#perLaneSet((laneSet, k) => laneSet.counters(this.#at(this.#layout.nextCounter), this.#firstLanes[k]!))
  }

  /** @returns a function from an element and a lane set to the address of the group's column parts */
  #columns(): (element: number, laneSet: number) => Place {
    const columns = this.#pointer(this.#layout.nextColumns)
    return (element, laneSet) => memory(columns, 8 * (this.#layout.rowColumns * element + this.#firstLanes[laneSet]!))
  }

  /** Loads a pointer from the context into a register, valid until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.#routine.register("r64")
    this.#routine.emit("mov", pointer, this.#at(offset))
    return pointer
  }

  /** @returns the state of 12 words at an offset, repeated in every lane of the group */
  #everywhere(offset: number): unknown[] {
    return Array.from({ length: WIDTH }, (_, i) =>
      this.#group.fromWords(this.#perLaneSet(laneSet => laneSet.broadcastWord(this.#at(offset + 8 * i)))),
    )
  }

  #perLaneSet<T>(of: (laneSet: LaneSet, k: number) => T): T[] {
    return this.#group.laneSets.map(of)
  }

  #at(offset: number): Memory {
    return memory(rdi, offset)
  }
}

/** Registers used here that System V requires a callee to preserve. */
const PRESERVED: readonly Register[] = [rbx, rbp, ...[12, 13, 14, 15].map(r64)]
