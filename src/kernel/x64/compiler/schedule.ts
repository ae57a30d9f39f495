/**
 * A list scheduler for one block. It takes, among the instructions that are ready and near the first one not yet taken,
 * the one with the longest path behind it; when nearly all registers are in use, the one that frees most. Plain loads of
 * what stood in memory before the block wait until their first reader is taken, as they would only hold registers.
 */

import type { Instruction } from "../assembler/table.ts"
import { type BlockInstruction, fileOf, memoryKey } from "./block.ts"
import { type Machine, unitsOf } from "./machine.ts"

export interface ScheduleOptions {
  readonly machine: Machine
  /** How far ahead of the first instruction not yet taken another may be taken. */
  readonly window: number
  /** Vector registers in use from which on the schedule saves registers. */
  readonly pressure: number
  /** Integer registers that only point at memory which is never written here, by hardware number. */
  readonly readOnly: ReadonlySet<number>
}

export function schedule(code: readonly BlockInstruction[], options: ScheduleOptions): BlockInstruction[] {
  const { machine, window, pressure } = options
  const { successors, predecessorCounts: waiting } = dependencies(code, options)
  const latency = code.map(({ row }) => machine.latency[row.mnemonic] ?? machine.otherLatency)
  const units = code.map(({ row, operands }) => unitsOf(row, machine, memoryAccess(row, operands)))
  const loads = code.map((instruction, i) => waiting[i] === 0 && successors[i]!.length > 0 && isPlainLoad(instruction))
  const readLoads: number[][] = code.map(() => [])
  loads.forEach((isLoad, i) => {
    if (!isLoad) return
    for (const next of successors[i]!) {
      readLoads[next]!.push(i)
      waiting[next] = waiting[next]! - 1
    }
  })
  const priority = longestPaths(successors, latency)
  const earliest = new Float64Array(code.length)
  const live = new LiveVectors(code)
  const order: BlockInstruction[] = []
  const state = new Uint8Array(code.length)
  for (let i = 0; i < code.length; i++) state[i] = loads[i] ? LOAD : waiting[i] === 0 ? READY : WAITING
  let first = 0
  let cycle = 0
  const left = Int32Array.from(machine.capacity)
  const hasRoom = (own: readonly number[]) => {
    for (let k = 0; k < own.length; k++) if (left[own[k]!]! <= 0) return false
    return true
  }
  const take = (i: number) => {
    state[i] = TAKEN
    order.push(code[i]!)
    live.take(i)
    for (const unit of units[i]!) left[unit] = left[unit]! - 1
  }
  while (order.length < code.length) {
    while (state[first]! >= LOAD) first++
    const end = Math.min(first + window, code.length)
    const saving = live.count >= pressure
    let best = -1
    let bestScore = 0
    for (let i = first; i < end; i++) {
      if (state[i] !== READY || earliest[i]! > cycle || !hasRoom(units[i]!)) continue
      // Where registers are short, who frees most; else, and among equals, the longest path.
      const score = saving ? priority[i]! - 1e6 * live.change(i) : priority[i]!
      if (best < 0 || score > bestScore) {
        best = i
        bestScore = score
      }
    }
    if (best < 0) {
      cycle++
      left.set(machine.capacity)
      continue
    }
    for (const load of readLoads[best]!) if (state[load] !== TAKEN) take(load)
    take(best)
    for (const next of successors[best]!) {
      earliest[next] = Math.max(earliest[next]!, cycle + latency[best]!)
      waiting[next] = waiting[next]! - 1
      if (waiting[next] === 0 && state[next] === WAITING) state[next] = READY
    }
  }
  return order
}

const WAITING = 0
const READY = 1
/** A plain load, taken with its first reader. */
const LOAD = 2
const TAKEN = 3

const isPlainLoad = ({ row, operands }: BlockInstruction): boolean =>
  row.mnemonic.startsWith("vmovdqu") && operands[1]!.kind === "memory"

function memoryAccess(row: Instruction, operands: BlockInstruction["operands"]): "none" | "read" | "write" {
  const k = operands.findIndex(({ kind }) => kind === "memory")
  return k < 0 ? "none" : row.operands[k]!.write ? "write" : "read"
}

/** Cycles from the start of each instruction to the end of the block, were there no limits but latencies. */
function longestPaths(successors: readonly (readonly number[])[], latency: readonly number[]): Float64Array {
  const longest = new Float64Array(successors.length)
  for (let i = successors.length - 1; i >= 0; i--) {
    for (const next of successors[i]!) longest[i] = Math.max(longest[i]!, longest[next]!)
    longest[i] = longest[i]! + latency[i]!
  }
  return longest
}

/** How many vector registers hold a value that is still to be read. */
class LiveVectors {
  count = 0
  readonly #reads: number[][]
  readonly #writes: number[][]
  readonly #left = new Map<number, number>()
  readonly #written = new Set<number>()

  constructor(code: readonly BlockInstruction[]) {
    const vectors = (access: "read" | "write") =>
      code.map(({ row, operands }) => {
        const ids = operands.flatMap((operand, i) =>
          operand.kind === "virtual" && fileOf(operand.class) === "vector" && row.operands[i]![access]
            ? [operand.id]
            : [],
        )
        return [...new Set(ids)]
      })
    this.#reads = vectors("read")
    this.#writes = vectors("write")
    for (const ids of this.#reads) for (const id of ids) this.#left.set(id, (this.#left.get(id) ?? 0) + 1)
  }

  /** How many more are live after instruction `i`. */
  change(i: number): number {
    let change = 0
    for (const id of this.#reads[i]!) {
      // What a load has still to bring is live only if it is read again.
      if (!this.#written.has(id)) change++
      if (this.#left.get(id) === 1) change--
    }
    for (const id of this.#writes[i]!) if (!this.#written.has(id)) change++
    return change
  }

  take(i: number): void {
    this.count += this.change(i)
    for (const id of this.#reads[i]!) this.#left.set(id, this.#left.get(id)! - 1)
    for (const id of this.#writes[i]!) this.#written.add(id)
  }
}

/** Who must come before whom: reads after writes, writes after reads and writes, of registers, flags and memory. */
function dependencies(code: readonly BlockInstruction[], { readOnly }: ScheduleOptions) {
  const successors: number[][] = code.map(() => [])
  const predecessorCounts = new Int32Array(code.length)
  const lastWrite = new Map<string | number, number>()
  const readsSince = new Map<string | number, number[]>()
  const edge = (from: number, to: number) => {
    if (from === to || successors[from]!.includes(to)) return
    successors[from]!.push(to)
    predecessorCounts[to] = predecessorCounts[to]! + 1
  }
  code.forEach((instruction, i) => {
    const { reads, writes } = effects(instruction, readOnly)
    for (const place of reads) {
      const writer = lastWrite.get(place)
      if (writer !== undefined) edge(writer, i)
    }
    for (const place of writes) {
      const writer = lastWrite.get(place)
      if (writer !== undefined) edge(writer, i)
      for (const reader of readsSince.get(place) ?? []) edge(reader, i)
    }
    for (const place of reads) {
      const readers = readsSince.get(place)
      if (readers) readers.push(i)
      else readsSince.set(place, [i])
    }
    for (const place of writes) {
      lastWrite.set(place, i)
      readsSince.set(place, [])
    }
  })
  return { successors, predecessorCounts }
}

/** Places read and written: virtual registers by id, everything else by name. */
function effects({ row, operands, options }: BlockInstruction, readOnly: ReadonlySet<number>) {
  const reads: (string | number)[] = []
  const writes: (string | number)[] = []
  operands.forEach((operand, i) => {
    const { read, write } = row.operands[i]!
    if (operand.kind === "memory") {
      for (const part of [operand.base, operand.index]) {
        if (part?.kind === "virtual") reads.push(part.id)
        else if (part) reads.push(`register ${part.class} ${part.n}`)
      }
      const key = memoryKey(operand, readOnly)
      if (key !== undefined && read) reads.push(key)
      if (key !== undefined && write) writes.push(key)
    } else if (operand.kind === "virtual" || operand.kind === "register") {
      const place = operand.kind === "virtual" ? operand.id : `register ${operand.class} ${operand.n}`
      if (read) reads.push(place)
      if (write) writes.push(place)
      if (write && options?.mask && !options.zero) reads.push(place)
    }
  })
  if (options?.mask) reads.push(`register k ${options.mask.n}`)
  for (const { n, read, write } of row.implicit) {
    if (read) reads.push(`register r64 ${n}`)
    if (write) writes.push(`register r64 ${n}`)
  }
  if (row.flags.read) reads.push("flags")
  if (row.flags.write) writes.push("flags")
  return { reads, writes }
}
