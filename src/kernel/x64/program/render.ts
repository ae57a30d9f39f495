/**
 * Renders the search program as x86-64 machine code. Its entry points take the address of the context in rdi.
 */
import { WIDTH } from "../../../pow/constants.ts"
import type { RegisterFile } from "../../compiler/architecture.ts"
import type { Schedules } from "../../compiler/block-schedule.ts"
import type { HotBlock, RoutineOptions, Statistics } from "../../compiler/recorder.ts"
import { spillOffsets } from "../../native/context.ts"
import { type BatchCount, SearchCode } from "../../native/search-code.ts"
import type { AssemblyObserver } from "../assembler/assembler.ts"
import {
  immediate,
  type Label,
  type Memory,
  memory,
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
import { type ContextLayout, contextLayout, spillRooms } from "./context.ts"

/** An instruction set, a representation and a core model that kernels are rendered for. */
export interface RenderTarget {
  readonly routine: Omit<RoutineOptions, "spillLocation">
  readonly vectorBytes: number
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
  /** Size in bytes of the states of all vocabularies above. */
  readonly stateBytes: number
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

/**
 * Begins a routine, with the vocabularies of a render target and the context that these need.
 * @param observer receives labels and instructions in address order
 */
export function beginRoutine({ routine: options, vectorBytes, ops: opsOf }: RenderTarget, observer?: AssemblyObserver) {
  const spillLocation = (file: RegisterFile, n: number) => memory(rdi, spillOffset(file, n))
  const routine = new Routine({ ...options, spillLocation }, observer)
  const ops = opsOf(routine)
  const lanes = ops.batch.laneSets.map(laneSet => laneSet.lanes)
  const layout = contextLayout({ vectorBytes, stateBytes: ops.stateBytes, lanes })
  const spillOffset = spillOffsets(layout, spillRooms(vectorBytes))
  return { routine, ops, layout, lanes }
}

/** @param observer receives labels and instructions in address order */
export function renderKernel(renderTarget: RenderTarget, observer?: AssemblyObserver): RenderedKernel {
  const { routine, ops, layout, lanes } = beginRoutine(renderTarget, observer)
  const search = new X64SearchCode(routine, ops, layout)
  const labels = search.entries()
  search.test()
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
    lanes,
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

class X64SearchCode extends SearchCode<Routine, ContextLayout, IntegerOps, BatchOps<unknown, unknown>> {
  protected readonly resultBytes: number
  readonly #steps: Steps
  /** Groups per batch. The same code runs for all. */
  readonly #groups: number
  /** The number, within the group, of each lane set's first lane. */
  readonly #firstLanes: readonly number[]
  /** Lanes per group. */
  readonly #groupLanes: number

  constructor(routine: Routine, { one, batch, groups, steps }: RenderOps, layout: ContextLayout) {
    super(routine, layout, { shared: one, group: groups[0]!, batch })
    this.resultBytes = 4 * batch.laneSets.length
    this.#steps = steps[0]
    this.#groups = groups.length
    let lanes = 0
    this.#firstLanes = this.group.laneSets.map(laneSet => (lanes += laneSet.lanes) - laneSet.lanes)
    this.#groupLanes = lanes
  }

  protected entry(name: string, body: () => void): Label {
    const { routine } = this
    const label = routine.label(name)
    routine.bind(label)
    for (const register of PRESERVED) routine.control("push", register)
    this.#steps.begin()
    body()
    this.#steps.end()
    for (const register of PRESERVED.toReversed()) routine.control("pop", register)
    routine.control("ret")
    return label
  }

  protected subroutine(label: Label, body: () => void): void {
    this.routine.bind(label)
    body()
    this.routine.control("ret")
  }

  protected call(label: Label): void {
    this.routine.control("call", label)
  }

  protected sharedState(offset: number): Value[] {
    return this.shared.elementsAt(this.#at(offset), WIDTH)
  }

  protected sharedWord(offset: number): Value {
    return this.#at(offset)
  }

  protected storeShared(offset: number, state: readonly Value[]): void {
    this.shared.storeAt(this.#at(offset), state)
  }

  protected storeCanonical(offset: number, state: readonly Value[]): void {
    const [laneSet] = this.shared.laneSets
    for (const [i, x] of state.entries()) laneSet!.store(this.#at(offset + 8 * i), this.shared.toWords(x)[0]!)
  }

  protected everywhere(offset: number): unknown[] {
    return Array.from({ length: WIDTH }, (_, i) =>
      this.group.fromWords(this.#perLaneSet(laneSet => laneSet.broadcastWord(this.#at(offset + 8 * i)))),
    )
  }

  protected everywhereWithCounters(offset: number) {
    const state = this.everywhere(offset)
    return { state, counters: this.group.fromWords(this.#counters()) }
  }

  protected lastLimbs(): () => unknown {
    const counters = this.#counters()
    const first = this.#at(this.layout.first)
    const limbs = this.#perLaneSet((laneSet, k) =>
      laneSet.reverseLowBytes(laneSet.add(counters[k]!, laneSet.broadcastWord(first))),
    )
    return () => this.group.fromWords(limbs)
  }

  protected storeColumns(columns: readonly unknown[]): void {
    const place = this.#columns()
    columns.forEach((x, i) => {
      this.group.toWords(x).forEach((words, k) => {
        this.group.laneSets[k]!.store(place(i, k), words)
      })
    })
  }

  protected loadColumns(): unknown[] {
    const place = this.#columns()
    return Array.from({ length: WIDTH }, (_, i) =>
      this.group.fromWords(this.#perLaneSet((laneSet, k) => laneSet.load(place(i, k)))),
    )
  }

  /** Stores a mask of the lanes above TARGET for each lane set. */
  protected storeResults(hash: unknown): void {
    const hashes = this.batch.toWords(hash)
    const masks = this.#pointer(this.layout.nextResults)
    this.batch.laneSets.forEach((laneSet, k) => {
      // The first element is written to the hash in little-endian order; the target compares the hash as big-endian.
      const top = laneSet.xor(laneSet.reverseBytes(hashes[k]!), laneSet.constant(2n ** 63n))
      laneSet.storeAbove(memory(masks, 4 * k), top, laneSet.broadcastWord(this.#at(this.layout.target)))
    })
  }

  protected setCount(word: number, count: BatchCount): void {
    this.routine.control("mov", rax, typeof count === "number" ? immediate(count) : this.#at(count.at))
    this.routine.control("mov", this.#at(word), rax)
  }

  protected setPointer(word: number, area: number): void {
    this.routine.control("lea", rax, this.#at(area))
    this.routine.control("mov", this.#at(word), rax)
  }

  protected clear(word: number): void {
    this.routine.control("mov", this.#at(word), immediate(0))
  }

  protected advance(word: number, by: number): void {
    this.routine.control("add", this.#at(word), immediate(by))
  }

  protected countDown(word: number, label: Label): void {
    this.routine.control("sub", this.#at(word), immediate(1))
    this.routine.control("jnz", label)
  }

  /** `ofGroup` runs once per group, with `STATE_POINTER` at the group's state. */
  protected groups(ofGroup: () => void, ofBatch: () => void): void {
    const { routine, layout } = this
    const next = routine.label("group")
    routine.control("mov", this.#at(layout.groupsLeft), immediate(this.#groups))
    routine.bind(next)
    ofGroup()
    routine.control("add", STATE_POINTER, immediate(this.group.stateBytes))
    this.advance(layout.nextColumns, 8 * this.#groupLanes)
    this.advance(layout.nextCounter, this.#groupLanes)
    this.countDown(layout.groupsLeft, next)
    routine.control("sub", STATE_POINTER, immediate(this.batch.stateBytes))
    ofBatch()
  }

  /** The numbers of the group's nonces within the row or range, by lane set. */
  #counters(): Value[] {
    return this.#perLaneSet((laneSet, k) => laneSet.counters(this.#at(this.layout.nextCounter), this.#firstLanes[k]!))
  }

  /** @returns a function from an element and a lane set to the address of the group's column parts */
  #columns(): (element: number, laneSet: number) => Place {
    const columns = this.#pointer(this.layout.nextColumns)
    return (element, laneSet) => memory(columns, 8 * (this.layout.columnStride * element + this.#firstLanes[laneSet]!))
  }

  /** Loads a pointer from the context into a register, valid until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.routine.register("r64")
    this.routine.emit("mov", pointer, this.#at(offset))
    return pointer
  }

  #perLaneSet<T>(of: (laneSet: LaneSet, k: number) => T): T[] {
    return this.group.laneSets.map(of)
  }

  #at(offset: number): Memory {
    return memory(rdi, offset)
  }
}

/** Registers used here that System V requires a callee to preserve. */
const PRESERVED: readonly Register[] = [rbx, rbp, ...[12, 13, 14, 15].map(r64)]
