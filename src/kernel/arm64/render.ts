/** Renders the search program as arm64 machine code. Its entry points take the context's address in x0. */
import { WIDTH } from "../../pow/constants.ts"
import type { RegisterFile } from "../compiler/architecture.ts"
import { spillOffsets } from "../native/context.ts"
import type { SearchEntry } from "../native/native-kernel.ts"
import { type BatchCount, SearchCode } from "../native/search-code.ts"
import {
  type HardwareRegister,
  type Label,
  memory,
  type Place,
  type VirtualRegister,
  v,
  x,
} from "./assembler/operands.ts"
import { Routine } from "./compiler/routine.ts"
import { type ContextLayout, contextLayout, SPILL_ROOMS } from "./context.ts"
import type { LaneOps } from "./lane-set.ts"
import {
  inContext as at,
  CONTEXT,
  EPS,
  EPS_LIMBS,
  LINK,
  LOW_HALVES,
  POOL,
  SAVED_INTEGERS,
  SAVED_VECTORS,
  SCRATCH,
} from "./registers.ts"
import { type StepListing, Steps } from "./steps.ts"
import { opsOf, type Recipe, routineOptions } from "./targets.ts"

export const ENTRIES = ["permute", "preparePlane", "searchRow", "searchRange", "synchronise"] as const
export type EntryName = (typeof ENTRIES)[number]

export interface RenderedKernel {
  readonly code: Uint8Array
  readonly layout: ContextLayout
  /** Nonces per batch. */
  readonly lanes: number
  /** Byte offsets of the entry points. */
  readonly entries: Readonly<Record<EntryName, number>>
}

/** Instructions for counts and simulations. */
export interface KernelListing {
  readonly steps: readonly StepListing[]
  /** The instructions that a batch of a row executes outside steps. */
  readonly batch: readonly string[]
  /** Bytes of instructions. */
  readonly codeBytes: number
}

/** Begins a routine, with the vocabulary of a recipe and the context that it needs. */
export function beginRoutine(recipe: Recipe) {
  const spillLocation = (file: RegisterFile, n: number) => at(spillOffset(file, n))
  const routine = new Routine({ ...routineOptions(recipe), spillLocation })
  const steps = new Steps(routine, recipe.sets.some(set => set !== "word") ? 2 : 1)
  const ops = opsOf(recipe, steps)
  const layout = contextLayout(ops.lanes, ops.stateBytes)
  const spillOffset = spillOffsets(layout, SPILL_ROOMS)
  return { routine, steps, ops, layout }
}

/** Renders a kernel. */
export function renderKernel(recipe: Recipe): RenderedKernel & KernelListing {
  const { routine, steps, ops, layout } = beginRoutine(recipe)
  const search = new Arm64SearchCode(routine, steps, ops, layout)
  const labels = { ...search.entries(), synchronise: synchronise(routine, layout) }
  search.test()
  routine.endBlock()
  routine.hot = true
  steps.finish()
  const code = routine.finish()
  const entries = Object.fromEntries(ENTRIES.map(name => [name, routine.offsetOf(labels[name])])) as Record<
    EntryName,
    number
  >
  const batch = search.batchParts.flatMap(([from, to]) => routine.listing(from, to))
  return { code, layout, lanes: ops.lanes, entries, steps: steps.listings, batch, codeBytes: routine.codeBytes }
}

type Lanes = LaneOps<unknown, unknown>

class Arm64SearchCode extends SearchCode<Routine, ContextLayout, Lanes, Lanes> {
  protected readonly resultBytes: number
  readonly #steps: Steps
  /** Where the code of a row's batch outside steps starts and ends. */
  readonly batchParts: (readonly [from: Label, to: Label])[] = []
  #entry: SearchEntry | undefined

  constructor(routine: Routine, steps: Steps, ops: Lanes, layout: ContextLayout) {
    super(routine, layout, { shared: ops, group: ops, batch: ops })
    this.resultBytes = 4 * ops.lanes
    this.#steps = steps
  }

  protected entry(name: SearchEntry, body: () => void): Label {
    const label = this.routine.label(name)
    this.routine.bind(label)
    this.#entry = name
    begin(this.routine, this.#steps, this.layout)
    body()
    end(this.routine, this.layout)
    return label
  }

  protected subroutine(label: Label, body: () => void): void {
    const { routine, layout } = this
    routine.bind(label)
    routine.control("str Xd, [Xn, #i*8]", LINK, at(layout.testLink))
    body()
    routine.control("ldr Xd, [Xn, #i*8]", LINK, at(layout.testLink))
    routine.control("ret")
    const end = routine.label("end")
    routine.bind(end)
    this.batchParts.push([label, end])
  }

  protected call(label: Label): void {
    this.routine.control("bl label", label)
  }

  protected sharedState(offset: number): unknown[] {
    return this.everywhere(offset)
  }

  protected sharedWord(offset: number): unknown {
    return this.shared.broadcast(at(offset))
  }

  protected storeShared(offset: number, state: readonly unknown[]): void {
    for (const [i, x] of state.entries()) this.shared.storeFirst(at(offset + 8 * i), x)
  }

  protected storeCanonical(offset: number, state: readonly unknown[]): void {
    this.storeShared(
      offset,
      state.map(x => this.shared.canonical(x)),
    )
  }

  protected everywhere(offset: number): unknown[] {
    return Array.from({ length: WIDTH }, (_, i) => this.group.broadcast(at(offset + 8 * i)))
  }

  protected everywhereWithCounters(offset: number) {
    const counters = this.#counters()
    return { state: this.everywhere(offset), counters }
  }

  protected lastLimbs(): () => unknown {
    const limbs = this.group.reverseSum(this.#counters(), at(this.layout.first))
    return () => limbs
  }

  protected storeColumns(columns: readonly unknown[]): void {
    const place = this.#columns()
    for (const [i, x] of columns.entries()) this.group.store(place(i), this.group.canonical(x))
  }

  protected loadColumns(): unknown[] {
    const place = this.#columns()
    return Array.from({ length: WIDTH }, (_, i) => this.group.load(place(i)))
  }

  /** Stores a flag per nonce: 0 for a candidate. */
  protected storeResults(hash: unknown): void {
    const { batch, layout } = this
    const canonical = batch.canonical(hash)
    // The hash's first eight bytes are its first element in little-endian order. The U512 reads them in big-endian order.
    batch.storeFlags(memory(this.#pointer(layout.nextResults)), canonical, at(layout.target))
  }

  protected setCount(word: number, count: BatchCount): void {
    if (typeof count === "number") this.routine.control("mov Xd, #i", SCRATCH, count)
    else this.routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(count.at))
    this.#storeScratch(word)
  }

  protected setPointer(word: number, area: number): void {
    this.routine.control("mov Xd, #i", SCRATCH, area)
    this.routine.control("add Xd, Xn, Xm", SCRATCH, SCRATCH, CONTEXT)
    this.#storeScratch(word)
  }

  protected clear(word: number): void {
    this.setCount(word, 0)
  }

  protected advance(word: number, by: number): void {
    this.routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(word))
    this.routine.control("add Xd, Xn, #i", SCRATCH, SCRATCH, by)
    this.#storeScratch(word)
  }

  protected countDown(word: number, label: Label): void {
    this.routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(word))
    this.routine.control("sub Xd, Xn, #i", SCRATCH, SCRATCH, 1)
    this.#storeScratch(word)
    this.routine.control("cbnz Xd, label", SCRATCH, label)
  }

  /** A batch is one group. */
  protected groups(ofGroup: () => void, ofBatch: () => void): void {
    ofGroup()
    ofBatch()
    this.advance(this.layout.nextColumns, 8 * this.group.lanes)
    this.advance(this.layout.nextCounter, this.group.lanes)
  }

  protected override loopEnded(start: Label): void {
    const end = this.routine.label("end")
    this.routine.bind(end)
    if (this.#entry === "searchRow") this.batchParts.push([start, end])
  }

  #storeScratch(word: number): void {
    this.routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(word))
  }

  #counters(): unknown {
    return this.group.counters(at(this.layout.nextCounter), 0)
  }

  /** @returns a function from an element to the place of the batch's words in COLUMNS */
  #columns(): (element: number) => Place {
    const base = this.#pointer(this.layout.nextColumns)
    return element => memory(base, 8 * this.layout.columnStride * element)
  }

  /** Loads a pointer from the context into a register, until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.routine.register("integer")
    this.routine.emit("ldr Xd, [Xn, #i*8]", pointer, at(offset))
    return pointer
  }
}

/** Appends an entry point's first instructions, which save the caller's registers and set those of `registers.ts`. */
export function begin(routine: Routine, steps: Steps, layout: ContextLayout): void {
  saved(layout).forEach(([a, b, offset]) => {
    routine.control(`stp ${a.class === "integer" ? "Xd, Xt" : "Dd, Dt"}, [Xn, #i*8]`, a, b, at(offset))
  })
  routine.control("adr Xd, label", POOL, steps.poolLabel)
  routine.control("mov Wd, #-1", EPS)
  routine.control("movi Vd.2D, #0xffffffffffffffff", EPS_LIMBS)
  routine.control("movi Vd.2D, #0x000000ffffffff", LOW_HALVES)
}

/** Appends an entry point's last instructions, which restore the caller's registers and return. */
export function end(routine: Routine, layout: ContextLayout): void {
  saved(layout).forEach(([a, b, offset]) => {
    routine.control(`ldp ${a.class === "integer" ? "Xd, Xt" : "Dd, Dt"}, [Xn, #i*8]`, a, b, at(offset))
  })
  routine.control("ret")
}

const saved = ({ saved }: ContextLayout): [HardwareRegister, HardwareRegister, number][] => [
  ...SAVED_INTEGERS.map(([a, b], i): [HardwareRegister, HardwareRegister, number] => [x(a), x(b), saved + 16 * i]),
  ...SAVED_VECTORS.map(([a, b], i): [HardwareRegister, HardwareRegister, number] => [
    v(a),
    v(b),
    saved + 16 * (SAVED_INTEGERS.length + i),
  ]),
]

/** The size of every cache line is a multiple of this number of bytes. */
const LINE = 16

/** Renders the entry point that makes the code between INPUT's two addresses visible to instruction fetches on every core. */
function synchronise(routine: Routine, layout: ContextLayout): Label {
  const [entry, line, to] = [routine.label("synchronise"), x(9), x(10)]
  routine.bind(entry)
  for (const maintenance of ["dc cvau, Xd", "ic ivau, Xd"]) {
    const next = routine.label("line")
    routine.control("ldr Xd, [Xn, #i*8]", line, at(layout.input))
    routine.control("ldr Xd, [Xn, #i*8]", to, at(layout.input + 8))
    routine.bind(next)
    routine.control(maintenance, line)
    routine.control("add Xd, Xn, #i", line, line, LINE)
    routine.control("cmp Xn, Xm", line, to)
    routine.control("b.lo label", next)
    routine.control("dsb ish")
  }
  routine.control("isb")
  routine.control("ret")
  return entry
}
