/** Renders the search program as machine code. Each entry point takes the context's address in x0. */
import { WIDTH } from "../../pow/constants.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
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
import type { ContextLayout } from "./context.ts"
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
import { layoutOf, opsOf, type Recipe, routineOptions } from "./targets.ts"

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
  readonly codeLength: number
}

/** Renders a kernel. */
export function renderKernel(recipe: Recipe): RenderedKernel & KernelListing {
  const layout = layoutOf(recipe)
  const routine = new Routine(routineOptions(recipe, layout))
  const steps = new Steps(routine, layout, recipe.sets.some(set => set !== "word") ? 2 : 1)
  const ops = opsOf(recipe, steps, layout)
  const renderer = new Renderer(routine, steps, ops, layout)
  const labels = {
    permute: renderer.permute(),
    preparePlane: renderer.preparePlane(),
    searchRow: renderer.searchRow(),
    searchRange: renderer.searchRange(),
    synchronise: synchronise(routine, layout),
  }
  renderer.test()
  routine.endBlock()
  routine.hot = true
  steps.finish()
  const code = routine.finish()
  const entries = Object.fromEntries(ENTRIES.map(name => [name, routine.offsetOf(labels[name])])) as Record<
    EntryName,
    number
  >
  const batch = renderer.batchParts.flatMap(([from, to]) => routine.listing(from, to))
  return { code, layout, lanes: ops.lanes, entries, steps: steps.listings, batch, codeLength: routine.codeLength }
}

class Renderer {
  readonly #routine: Routine
  readonly #steps: Steps
  readonly #ops: LaneOps<unknown, unknown>
  readonly #layout: ContextLayout
  readonly #testEntry: Label
  /** Where the code of a row's batch outside steps starts and ends. */
  readonly batchParts: (readonly [from: Label, to: Label])[] = []

  constructor(routine: Routine, steps: Steps, ops: LaneOps<unknown, unknown>, layout: ContextLayout) {
    this.#routine = routine
    this.#steps = steps
    this.#ops = ops
    this.#layout = layout
    this.#testEntry = routine.label("test")
  }

  /** Computes OUTPUT from INPUT. */
  permute(): Label {
    const [ops, layout] = [this.#ops, this.#layout]
    return this.#entry("permute", () => {
      this.#keep(
        layout.output,
        permutation(ops, this.#everywhere(layout.input)).map(x => ops.canonical(x)),
      )
    })
  }

  /** Computes PLANE and COLUMNS from INPUT. */
  preparePlane(): Label {
    const [ops, layout] = [this.#ops, this.#layout]
    return this.#entry("preparePlane", () => {
      this.#keep(layout.plane, plane(ops, this.#everywhere(layout.input)))
      this.#overBatches({ count: layout.rowBatches }, () => {
        const counters = ops.counters(at(layout.nextCounter), 0)
        const columns = columnPart(ops, this.#everywhere(layout.plane), counters)
        const place = this.#columns()
        for (const [i, x] of columns.entries()) ops.store(place(i), ops.canonical(x))
      })
    })
  }

  /** Computes RESULTS of row FIRST of the plane. */
  searchRow(): Label {
    const [ops, layout] = [this.#ops, this.#layout]
    return this.#entry("searchRow", () => {
      this.#keep(layout.rowPart, rowPart(ops, this.#everywhere(layout.plane), ops.broadcast(at(layout.first))))
      const loop = this.#overBatches({ count: layout.rowBatches }, () => {
        const place = this.#columns()
        const columns = Array.from({ length: WIDTH }, (_, i) => ops.load(place(i)))
        ops.storeState(crossing(ops, this.#everywhere(layout.rowPart), columns))
        this.#routine.control("bl label", this.#testEntry)
      })
      this.batchParts.push(loop)
    })
  }

  /** Computes RESULTS of BATCHES batches of counters from FIRST on. */
  searchRange(): Label {
    const [ops, layout] = [this.#ops, this.#layout]
    return this.#entry("searchRange", () => {
      this.#overBatches({ at: layout.batches }, () => {
        const limbs = ops.reverseSum(ops.counters(at(layout.nextCounter), 0), at(layout.first))
        const state = this.#everywhere(layout.input)
        const last = ops.reduce(ops.add(ops.widen(state[7]), ops.widen(limbs)))
        ops.storeState(firstRound(ops, state.with(7, last)))
        this.#routine.control("bl label", this.#testEntry)
      })
    })
  }

  /** Renders the subroutine that stores which lanes' hashes are above the target, from the state after the first round. */
  test(): void {
    const [ops, layout, routine] = [this.#ops, this.#layout, this.#routine]
    routine.bind(this.#testEntry)
    routine.control("str Xd, [Xn, #i*8]", LINK, at(layout.testLink))
    const hash = ops.canonical(hashElement(ops, ops.loadState(WIDTH)))
    // The hash's first eight bytes are its first element in little-endian order. The U512 reads them in big-endian order.
    ops.storeFlags(memory(this.#pointer(layout.nextResults)), hash, at(layout.target))
    this.#advance(layout.nextResults, 4 * ops.lanes)
    routine.control("ldr Xd, [Xn, #i*8]", LINK, at(layout.testLink))
    routine.control("ret")
    const end = routine.label("end")
    routine.bind(end)
    this.batchParts.push([this.#testEntry, end])
  }

  /** Returns where the loop starts and ends. */
  #overBatches(
    count: { readonly count: number } | { readonly at: number },
    ofBatch: () => void,
  ): readonly [from: Label, to: Label] {
    const [routine, layout, ops] = [this.#routine, this.#layout, this.#ops]
    const [next, end] = [routine.label("batch"), routine.label("end")]
    if ("at" in count) routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(count.at))
    else routine.control("mov Xd, #i", SCRATCH, count.count)
    routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(layout.batchesLeft))
    for (const [pointer, start] of [
      [layout.nextColumns, layout.columns],
      [layout.nextResults, layout.results],
    ] as const) {
      routine.control("mov Xd, #i", SCRATCH, start)
      routine.control("add Xd, Xn, Xm", SCRATCH, SCRATCH, CONTEXT)
      routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(pointer))
    }
    routine.control("mov Xd, #i", SCRATCH, 0)
    routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(layout.nextCounter))
    routine.bind(next)
    ofBatch()
    this.#advance(layout.nextColumns, 8 * ops.lanes)
    this.#advance(layout.nextCounter, ops.lanes)
    routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(layout.batchesLeft))
    routine.control("sub Xd, Xn, #i", SCRATCH, SCRATCH, 1)
    routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(layout.batchesLeft))
    routine.control("cbnz Xd, label", SCRATCH, next)
    routine.bind(end)
    return [next, end]
  }

  #advance(offset: number, by: number): void {
    this.#routine.control("ldr Xd, [Xn, #i*8]", SCRATCH, at(offset))
    this.#routine.control("add Xd, Xn, #i", SCRATCH, SCRATCH, by)
    this.#routine.control("str Xd, [Xn, #i*8]", SCRATCH, at(offset))
  }

  #entry(name: string, body: () => void): Label {
    const label = this.#routine.label(name)
    this.#routine.bind(label)
    begin(this.#routine, this.#steps, this.#layout)
    body()
    end(this.#routine, this.#layout)
    return label
  }

  /** Returns the place of the batch's words of each element of COLUMNS. */
  #columns(): (element: number) => Place {
    const base = this.#pointer(this.#layout.nextColumns)
    return element => memory(base, 8 * this.#layout.columnStride * element)
  }

  /** Loads a pointer from the context into a register, until the block ends. */
  #pointer(offset: number): VirtualRegister {
    const pointer = this.#routine.register("integer")
    this.#routine.emit("ldr Xd, [Xn, #i*8]", pointer, at(offset))
    return pointer
  }

  /** Loads a state at an offset of the context into every lane. */
  #everywhere(offset: number): unknown[] {
    return Array.from({ length: WIDTH }, (_, i) => this.#ops.broadcast(at(offset + 8 * i)))
  }

  #keep(offset: number, state: readonly unknown[]): void {
    for (const [i, x] of state.entries()) this.#ops.storeFirst(at(offset + 8 * i), x)
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
