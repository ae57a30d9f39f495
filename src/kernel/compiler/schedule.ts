/**
 * A list scheduler for one block. It orders bundles: instructions that must stay together, mostly single ones. Among the
 * bundles that are ready and near the first one not yet taken, it takes the one with the longest path to the block's end;
 * when nearly all registers of a file are in use, the one that frees most. A plain load of memory that the block has not
 * written waits until its first reader is taken, so that it holds no register before.
 */
import {
  type Architecture,
  type BlockInstruction,
  type CoreModel,
  type PortUse,
  REGISTER_FILES,
  type RegisterFile,
} from "./architecture.ts"
import { type BlockSchedule, shiftUrgencies } from "./block-schedule.ts"
import { memoryKey } from "./memory-key.ts"
import type { Register, VirtualRegister } from "./operands.ts"

export interface ScheduleOptions {
  readonly architecture: Architecture
  readonly core: CoreModel
  /** How far ahead of the first bundle not yet taken another may be taken, in bundles. */
  readonly window: number
  /** Number of live values of a file from which on the schedule saves its registers. */
  readonly pressure: Readonly<Record<RegisterFile, number>>
  /** Hardware numbers of integer registers that point to memory which is never written. */
  readonly readOnly: ReadonlySet<number>
}

type Bundle = readonly BlockInstruction[]

/** @param changes to the options for this block */
export function schedule(
  block: readonly BlockInstruction[],
  options: ScheduleOptions,
  changes: BlockSchedule = {},
): BlockInstruction[] {
  const { architecture, core } = options
  const { window = options.window, later = LATER, shifts = [] } = changes
  const saved = changes.pressure ?? 0
  const pressure = { integer: options.pressure.integer + saved, vector: options.pressure.vector + saved }
  const code = bundlesOf(block, architecture)
  const effects = new EffectsReader(architecture, options.readOnly).ofAll(code)
  const { successors, predecessorCounts: waiting } = dependencies(effects)
  const latency = code.map(bundle => latencyOf(bundle, architecture, core))
  const ports = code.map(bundle => portsOf(bundle, core))
  const loads = code.map(
    (bundle, i) =>
      waiting[i] === 0 && successors[i]!.length > 0 && bundle.length === 1 && architecture.isLoad(bundle[0]!),
  )
  const readLoads: number[][] = code.map(() => [])
  loads.forEach((isLoad, i) => {
    if (!isLoad) return
    for (const next of successors[i]!) {
      readLoads[next]!.push(i)
      waiting[next] = waiting[next]! - 1
    }
  })
  const urgency = longestPaths(successors, latency)
  // Chains that have begun come before new ones.
  for (let i = 0; i < code.length; i++) urgency[i] = urgency[i]! - later * i
  shiftUrgencies(urgency, shifts)
  const earliest = new Float64Array(code.length)
  const live = new LiveValues(block, effects, architecture)
  const order: BlockInstruction[] = []
  const taken = new Uint8Array(code.length)
  /** Bundles whose operands are available, ascending; and those whose will be, by cycle. */
  const ready: number[] = []
  const arriving: number[][] = []
  for (let i = 0; i < code.length; i++) if (waiting[i] === 0 && !loads[i]) ready.push(i)
  let first = 0
  let cycle = 0
  let takenCount = 0
  /** Starts left in this cycle by port; below 0 if a port is busy for longer. */
  const left = Int32Array.from(core.capacity)
  /** Ports that start no more in this cycle. */
  let full = 0
  const take = (i: number) => {
    taken[i] = 1
    takenCount++
    for (const instruction of code[i]!) order.push(instruction)
    live.take(i)
    for (const [port, starts] of ports[i]!.uses) {
      // Loads that are taken with their reader may exceed the capacity, which costs nothing later.
      left[port] = Math.min(left[port]!, Math.max(left[port]! - starts, 1 - starts))
      if (left[port]! <= 0) full |= 1 << port
    }
  }
  const nextCycle = () => {
    cycle++
    full = 0
    core.capacity.forEach((capacity, port) => {
      left[port] = Math.min(capacity, left[port]! + capacity)
      if (left[port]! <= 0) full |= 1 << port
    })
    for (const i of arriving[cycle] ?? []) insert(ready, i)
  }
  while (takenCount < code.length) {
    while (taken[first] || loads[first]) first++
    const end = first + window
    const scarce = REGISTER_FILES.filter(file => live.count[file] >= pressure[file])
    let best = -1
    let bestAt = 0
    let bestScore = 0
    for (let k = 0; k < ready.length; k++) {
      const i = ready[k]!
      if (i >= end) break
      if ((ports[i]!.bits & full) !== 0) continue
      // If registers are short, the one that frees most; otherwise, and among equals, the longest path.
      const score = scarce.length > 0 ? urgency[i]! - 1e6 * live.change(i, scarce) : urgency[i]!
      if (best < 0 || score > bestScore) {
        best = i
        bestAt = k
        bestScore = score
      }
    }
    if (best < 0) {
      nextCycle()
      continue
    }
    ready.splice(bestAt, 1)
    for (const load of readLoads[best]!) if (!taken[load]) take(load)
    take(best)
    for (const next of successors[best]!) {
      earliest[next] = Math.max(earliest[next]!, cycle + latency[best]!)
      waiting[next] = waiting[next]! - 1
      if (waiting[next] !== 0) continue
      const arrival = earliest[next]!
      if (arrival <= cycle) insert(ready, next)
      else (arriving[arrival] ??= []).push(next)
    }
  }
  return order
}

/** Groups the instructions that must stay together. */
function bundlesOf(block: readonly BlockInstruction[], architecture: Architecture): Bundle[] {
  const bundles: BlockInstruction[][] = []
  for (const instruction of block) {
    const last = bundles[bundles.length - 1]
    if (last && architecture.followsPrevious(instruction)) last.push(instruction)
    else bundles.push([instruction])
  }
  return bundles
}

/** A copy takes no time: renaming performs it, or the allocator drops it. */
const latencyOf = (bundle: Bundle, architecture: Architecture, core: CoreModel): number =>
  bundle.length === 1
    ? core.latencyOf(bundle[0]!)
    : bundle.reduce((sum, one) => sum + (architecture.isCopy(one) ? 0 : core.latencyOf(one)), 0)

/** The ports that a bundle occupies; bit *n* of `bits` is port *n*. */
function portsOf(bundle: Bundle, core: CoreModel): { readonly bits: number; readonly uses: readonly PortUse[] } {
  const uses = bundle.flatMap(instruction => core.portsOf(instruction))
  return { bits: uses.reduce((bits, [port]) => bits | (1 << port), 0), uses }
}

/**
 * Cycles by which an instruction's path counts less for each instruction written before it. Of many similar chains the
 * first then ends before the last begins, which takes fewer registers. 6 % faster than 0 (AVX2, Zen 3); values from 0.1
 * to 0.5 are equally fast.
 */
const LATER = 0.15

/** Inserts into an ascending list, usually near its end. */
function insert(list: number[], value: number): void {
  let at = list.length
  while (at > 0 && list[at - 1]! > value) at--
  list.splice(at, 0, value)
}

/** Cycles from the start of each instruction to the end of the block if only latencies counted. */
function longestPaths(successors: readonly (readonly number[])[], latency: readonly number[]): Float64Array {
  const longest = new Float64Array(successors.length)
  for (let i = successors.length - 1; i >= 0; i--) {
    for (const next of successors[i]!) longest[i] = Math.max(longest[i]!, longest[next]!)
    longest[i] = longest[i]! + latency[i]!
  }
  return longest
}

/** Counts the virtual registers that hold a value which is still to be read. */
class LiveValues {
  readonly count: Record<RegisterFile, number> = { integer: 0, vector: 0 }
  readonly #effects: readonly Effects[]
  /** By the value's number: its file, reads left, and whether it was written. */
  readonly #files: RegisterFile[] = []
  readonly #left: Int32Array
  readonly #written: Uint8Array

  constructor(block: readonly BlockInstruction[], effects: readonly Effects[], architecture: Architecture) {
    this.#effects = effects
    const { first, count } = rangeOf(effects)
    this.#left = new Int32Array(first + count)
    this.#written = new Uint8Array(first + count)
    const note = (operand: { kind: string; class?: string; id?: number } | undefined) => {
      if (operand?.kind === "virtual") this.#files[operand.id!] = architecture.fileOf(operand.class!)
    }
    for (const { operands } of block)
      for (const operand of operands) {
        note(operand)
        if (operand.kind !== "memory") continue
        note(operand.base)
        note(operand.index)
      }
    for (const { reads } of effects) for (let k = 0; k < reads.length; k++) if (reads[k]! >= 0) this.#left[reads[k]!]!++
  }

  /** Returns by how many instruction `i` changes the counts of these files. */
  change(i: number, files: readonly RegisterFile[]): number {
    let change = 0
    this.#forEachChange(i, (file, by) => {
      if (files.includes(file)) change += by
    })
    return change
  }

  take(i: number): void {
    this.#forEachChange(i, (file, by) => {
      this.count[file] += by
    })
    const { reads, writes } = this.#effects[i]!
    for (let k = 0; k < reads.length; k++) if (reads[k]! >= 0) this.#left[reads[k]!]!--
    for (let k = 0; k < writes.length; k++) if (writes[k]! >= 0) this.#written[writes[k]!] = 1
  }

  #forEachChange(i: number, visit: (file: RegisterFile, by: number) => void): void {
    const { reads, writes } = this.#effects[i]!
    for (let k = 0; k < reads.length; k++) {
      const value = reads[k]!
      if (value < 0) continue
      // A value that its delayed load has yet to produce is live only if it is read again.
      if (this.#written[value] === 0) visit(this.#files[value]!, 1)
      if (this.#left[value] === 1) visit(this.#files[value]!, -1)
    }
    for (let k = 0; k < writes.length; k++)
      if (writes[k]! >= 0 && this.#written[writes[k]!] === 0) visit(this.#files[writes[k]!]!, 1)
  }
}

/** The order to be kept: reads after writes, writes after reads and writes, of registers, flags and memory. */
function dependencies(effects: readonly Effects[]) {
  const successors: number[][] = effects.map(() => [])
  const predecessorCounts = new Int32Array(effects.length)
  const { first, count } = rangeOf(effects)
  const lastWrite = new Int32Array(count).fill(-1)
  const readsSince: (number[] | undefined)[] = new Array(count)
  const edge = (from: number, to: number) => {
    const known = successors[from]!
    // Edges come in the order of `to`, so an edge that exists already is the last one.
    if (from === to || known[known.length - 1] === to) return
    known.push(to)
    predecessorCounts[to]!++
  }
  for (let i = 0; i < effects.length; i++) {
    const { reads, writes } = effects[i]!
    for (let k = 0; k < reads.length; k++) {
      const place = reads[k]! - first
      if (lastWrite[place]! >= 0) edge(lastWrite[place]!, i)
      const readers = readsSince[place]
      if (readers) readers.push(i)
      else readsSince[place] = [i]
    }
    for (let k = 0; k < writes.length; k++) {
      const place = writes[k]! - first
      if (lastWrite[place]! >= 0) edge(lastWrite[place]!, i)
      const readers = readsSince[place]
      if (readers) for (let r = 0; r < readers.length; r++) edge(readers[r]!, i)
      lastWrite[place] = i
      readsSince[place] = undefined
    }
  }
  return { successors, predecessorCounts }
}

/** The lowest place, and the number of places from it to the highest. */
function rangeOf(effects: readonly Effects[]): { first: number; count: number } {
  let first = 0
  let last = 0
  for (const { reads, writes } of effects)
    for (const places of [reads, writes])
      for (let k = 0; k < places.length; k++) {
        if (places[k]! < first) first = places[k]!
        if (places[k]! > last) last = places[k]!
      }
  return { first, count: last - first + 1 }
}

/** Places read and written, each once. Virtual registers are their ids; other places are negative. */
interface Effects {
  readonly reads: readonly number[]
  readonly writes: readonly number[]
}

/** Places of memory are numbered below those of hardware registers and implicit state. */
const HARDWARE_PLACES = 256

class EffectsReader {
  readonly #architecture: Architecture
  readonly #readOnly: ReadonlySet<number>
  readonly #memory = new Map<number, number>()

  constructor(architecture: Architecture, readOnly: ReadonlySet<number>) {
    this.#architecture = architecture
    this.#readOnly = readOnly
  }

  ofAll(code: readonly Bundle[]): Effects[] {
    return code.map(bundle => (bundle.length === 1 ? this.#effectsOf(bundle[0]!) : this.#effectsOfSeveral(bundle)))
  }

  /** A bundle's reads exclude its own writes; the flags that it writes are read only within it. */
  #effectsOfSeveral(bundle: Bundle): Effects {
    const reads = new Set<number>()
    const writes = new Set<number>()
    const implicit = new Set<number>()
    for (const instruction of bundle) {
      const effects = this.#effectsOf(instruction)
      for (const place of effects.reads) if (!writes.has(place)) reads.add(place)
      for (const place of effects.writes) writes.add(place)
      for (const number of this.#architecture.implicitAccess(instruction).writes) implicit.add(-1 - number)
    }
    return { reads: [...reads], writes: [...writes].filter(place => !implicit.has(place)) }
  }

  #effectsOf(instruction: BlockInstruction): Effects {
    const architecture = this.#architecture
    const { operands } = instruction
    const reads: number[] = []
    const writes: number[] = []
    const read = (place: number) => {
      if (!reads.includes(place)) reads.push(place)
    }
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "memory") {
        if (operand.base) read(this.#placeOf(operand.base))
        if (operand.index) read(this.#placeOf(operand.index))
        const key = memoryKey(operand, this.#readOnly)
        if (key === undefined) continue
        const access = architecture.accessOf(instruction, k)
        if (access.read) read(this.#placeOfMemory(key))
        if (access.write) writes.push(this.#placeOfMemory(key))
      } else if (operand.kind === "virtual" || operand.kind === "register") {
        const place = this.#placeOf(operand)
        const access = architecture.accessOf(instruction, k)
        if (access.read) read(place)
        if (access.write) writes.push(place)
      }
    }
    const implicit = architecture.implicitAccess(instruction)
    for (const number of implicit.reads) read(-1 - number)
    for (const number of implicit.writes) writes.push(-1 - number)
    return { reads, writes }
  }

  #placeOf(operand: Register | VirtualRegister): number {
    return operand.kind === "virtual" ? operand.id : -1 - this.#architecture.numberOf(operand)
  }

  #placeOfMemory(key: number): number {
    const known = this.#memory.get(key)
    if (known !== undefined) return known
    const place = -1 - HARDWARE_PLACES - this.#memory.size
    this.#memory.set(key, place)
    return place
  }
}
