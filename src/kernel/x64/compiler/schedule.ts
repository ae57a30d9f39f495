/**
 * A list scheduler for one block. It takes, among the instructions that are ready and near the first one not yet taken,
 * the one with the longest path behind it; when nearly all registers are in use, the one that frees most.
 */
import { type BlockInstruction, fileOf, memoryKey } from "./block.ts"
import type { Machine } from "./machine.ts"

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
  const graph = dependencies(code, options)
  const latency = code.map(({ row }) => machine.latency[row.mnemonic] ?? machine.otherLatency)
  const priority = new Float64Array(code.length)
  for (let i = code.length - 1; i >= 0; i--) {
    let longest = 0
    for (const next of graph.successors[i]!) longest = Math.max(longest, priority[next]!)
    priority[i] = longest + latency[i]!
  }
  const waiting = graph.predecessorCounts
  const earliest = new Float64Array(code.length)
  const taken = new Uint8Array(code.length)
  const live = new LiveVectors(code)
  const order: BlockInstruction[] = []
  let first = 0
  while (order.length < code.length) {
    while (taken[first]) first++
    const now = order.length / machine.width
    const saving = live.count >= pressure
    let best = -1
    let bestScore: readonly [number, number, number] = [0, 0, 0]
    for (let i = first; i < Math.min(first + window, code.length); i++) {
      if (taken[i] || waiting[i]! > 0) continue
      const stall = Math.max(0, earliest[i]! - now)
      const score = saving
        ? ([live.change(i), stall, -priority[i]!] as const)
        : ([stall, -priority[i]!, live.change(i)] as const)
      if (best < 0 || before(score, bestScore)) {
        best = i
        bestScore = score
      }
    }
    taken[best] = 1
    order.push(code[best]!)
    live.take(best)
    const done = Math.max(now, earliest[best]!) + latency[best]!
    for (const next of graph.successors[best]!) {
      waiting[next] = waiting[next]! - 1
      earliest[next] = Math.max(earliest[next]!, done)
    }
  }
  return order
}

const before = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!
  return false
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
    for (const id of this.#reads[i]!) if (this.#left.get(id) === 1) change--
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
  for (const { n, read, write } of row.implicit) {
    if (read) reads.push(`register r64 ${n}`)
    if (write) writes.push(`register r64 ${n}`)
  }
  if (row.flags.read) reads.push("flags")
  if (row.flags.write) writes.push("flags")
  return { reads, writes }
}
