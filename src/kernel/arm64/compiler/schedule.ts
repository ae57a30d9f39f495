/**
 * A list scheduler for one block. Of the ready bundles within a window after the first unscheduled one, it takes the one
 * with the longest path to the block's end; while a register file is nearly full, the one that frees most registers. Loads
 * without dependences are delayed until their first reader is taken, because they would occupy registers.
 */
import type { RegisterFile } from "../assembler/table.ts"
import { type Bundle, forEachRead, forEachWrite, isVirtual } from "./block.ts"
import type { CoreModel, Port } from "./core-models.ts"

export interface ScheduleOptions {
  readonly core: CoreModel
  /** Length of the window, in bundles from the first unscheduled one. */
  readonly window: number
  /** Minimum registers in use at which the scheduler prefers bundles that free registers. */
  readonly pressure: Readonly<Record<RegisterFile, number>>
}

interface Node {
  readonly bundle: Bundle
  /** Numbers of the virtual registers read from other bundles. */
  readonly reads: readonly number[]
  readonly writes: readonly number[]
  readonly successors: Set<number>
  waiting: number
  urgency: number
  readonly latency: number
  readonly takes: ReadonlyMap<Port, number>
  readonly instructions: number
}

/** Cycles of urgency that a bundle loses per preceding bundle, so that started chains end before new ones start. */
const LATER = 0.15

export function schedule(bundles: readonly Bundle[], { core, window, pressure }: ScheduleOptions): Bundle[] {
  const files = new Map<number, RegisterFile>()
  const nodes = bundles.map(bundle => nodeOf(bundle, core, files))
  connect(nodes)
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!
    let longest = 0
    for (const next of node.successors) longest = Math.max(longest, nodes[next]!.urgency)
    node.urgency = longest + node.latency
  }
  for (const [i, node] of nodes.entries()) node.urgency -= LATER * i

  const isLoad = nodes.map(
    ({ waiting, successors, bundle }) => waiting === 0 && successors.size > 0 && isPlainLoad(bundle),
  )
  const loadsOf: number[][] = nodes.map(() => [])
  isLoad.forEach((load, i) => {
    if (load)
      for (const next of nodes[i]!.successors) {
        loadsOf[next]!.push(i)
        nodes[next]!.waiting--
      }
  })

  const readsLeft = new Map<number, number>()
  for (const { reads } of nodes) for (const value of reads) readsLeft.set(value, (readsLeft.get(value) ?? 0) + 1)
  const written = new Set<number>()
  const live: Record<RegisterFile, number> = { integer: 0, vector: 0 }
  /** Returns by how many registers, of the files that are nearly full, a bundle increases the number in use. */
  const change = ({ reads, writes }: Node, isShort: (file: RegisterFile) => boolean): number => {
    let more = 0
    for (const value of reads)
      if (isShort(files.get(value)!)) more += (written.has(value) ? 0 : 1) - (readsLeft.get(value) === 1 ? 1 : 0)
    for (const value of writes) if (readsLeft.has(value) && isShort(files.get(value)!)) more++
    return more
  }

  const order: Bundle[] = []
  const taken = new Uint8Array(nodes.length)
  const earliest = new Float64Array(nodes.length)
  const ready = nodes.flatMap(({ waiting }, i) => (waiting === 0 && !isLoad[i] ? [i] : []))
  const free = new Map<Port, number>()
  let first = 0
  let cycle = 0
  let issuesLeft = core.width
  const place = (i: number) => {
    const node = nodes[i]!
    taken[i] = 1
    order.push(node.bundle)
    issuesLeft -= node.instructions
    for (const [port, takes] of node.takes) free.set(port, Math.max(free.get(port) ?? 0, cycle) + takes)
    for (const value of node.reads) {
      const left = readsLeft.get(value)! - 1
      readsLeft.set(value, left)
      if (left === 0) live[files.get(value)!]--
    }
    for (const value of node.writes)
      if ((readsLeft.get(value) ?? 0) > 0) {
        live[files.get(value)!]++
        written.add(value)
      }
  }
  while (order.length < nodes.length) {
    while (taken[first] || isLoad[first]) first++
    const short = { integer: live.integer >= pressure.integer, vector: live.vector >= pressure.vector }
    const isShort = (file: RegisterFile) => short[file]
    const anyShort = short.integer || short.vector
    let best = -1
    let bestScore = Number.NEGATIVE_INFINITY
    if (issuesLeft > 0)
      for (let k = 0; k < ready.length; k++) {
        const i = ready[k]!
        if (i >= first + window) break
        if (earliest[i]! > cycle) continue
        const node = nodes[i]!
        let isFree = true
        for (const port of node.takes.keys()) if ((free.get(port) ?? 0) >= cycle + 1) isFree = false
        if (!isFree) continue
        const score = anyShort ? node.urgency - 1e6 * Math.max(-1, change(node, isShort)) : node.urgency
        if (score > bestScore) {
          best = k
          bestScore = score
        }
      }
    if (best < 0) {
      cycle++
      issuesLeft = core.width
      continue
    }
    const [i] = ready.splice(best, 1) as [number]
    for (const load of loadsOf[i]!) if (!taken[load]) place(load)
    place(i)
    for (const next of nodes[i]!.successors) {
      const node = nodes[next]!
      earliest[next] = Math.max(earliest[next]!, cycle + nodes[i]!.latency)
      if (--node.waiting === 0) insert(ready, next)
    }
  }
  return order
}

function insert(ascending: number[], value: number): void {
  let at = ascending.length
  while (at > 0 && ascending[at - 1]! > value) at--
  ascending.splice(at, 0, value)
}

const isPlainLoad = ({ instructions }: Bundle): boolean =>
  instructions.length === 1 && instructions[0]!.form.mnemonic === "ldr"

function nodeOf(bundle: Bundle, core: CoreModel, files: Map<number, RegisterFile>): Node {
  const reads = new Set<number>()
  const writes = new Set<number>()
  const takes = new Map<Port, number>()
  let latency = 0
  for (const instruction of bundle.instructions) {
    forEachRead(instruction, register => {
      if (!isVirtual(register) || writes.has(register.n)) return
      reads.add(register.n)
      files.set(register.n, register.file)
    })
    forEachWrite(instruction, register => {
      writes.add(register.n)
      files.set(register.n, register.file)
    })
    const cost = core.cost(instruction)
    latency += cost.latency
    for (const [port, cycles] of cost.takes) takes.set(port, (takes.get(port) ?? 0) + cycles)
  }
  return {
    bundle,
    reads: [...reads],
    writes: [...writes],
    successors: new Set(),
    waiting: 0,
    urgency: 0,
    latency,
    takes,
    instructions: bundle.instructions.length,
  }
}

/**
 * Adds the dependences: reads follow the write of a register; accesses to a place in memory keep their order, except
 * reads among themselves.
 */
function connect(nodes: readonly Node[]): void {
  const writer = new Map<number, number>()
  const places = new Map<string, { write: number; reads: number[] }>()
  const edge = (from: number, to: number) => {
    if (from < 0 || from === to || nodes[from]!.successors.has(to)) return
    nodes[from]!.successors.add(to)
    nodes[to]!.waiting++
  }
  nodes.forEach(({ reads, writes, bundle }, i) => {
    for (const value of reads) edge(writer.get(value) ?? -1, i)
    for (const value of writes) writer.set(value, i)
    if (!bundle.place) return
    const place = places.get(bundle.place.key) ?? { write: -1, reads: [] }
    places.set(bundle.place.key, place)
    edge(place.write, i)
    if (!bundle.place.isWritten) place.reads.push(i)
    else {
      for (const read of place.reads) edge(read, i)
      place.write = i
      place.reads = []
    }
  })
}
