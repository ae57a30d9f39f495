/**
 * A small out-of-order core that runs a loop of arm64 instructions: it dispatches in order into schedulers of limited size,
 * starts the oldest instruction whose operands are ready on a free port, and retires in order. Registers and flags are
 * renamed. A load waits for the last store to the same place. It models neither caches nor instruction fetch.
 */
import { type Core, type Listed, type MicroOp, type Scheduler, schedulerOf } from "./arm64-cores.ts"

const REGISTER = /\b([xwvqdsz])(\d+)\b/g
/** Vector instructions that also read their result. */
const ACCUMULATES = /^(umlal|umlsl|usra|sli|ins|bsl|bit)/
const SETS_FLAGS = /^(adds|adcs|subs|cmp|cmn)$/
const READS_FLAGS = /^(adc|adcs|csel|csetm|cset|cinc|b\.\w+)$/

const registersOf = (text: string): string[] =>
  [...text.matchAll(REGISTER)].map(([, letter, n]) => `${/[xw]/.test(letter!) ? "x" : "v"}${n}`)

/** Classifies an instruction as the disassembler prints it. */
export function parseInstruction(text: string): Listed {
  const [mnemonic = "", ...rest] = text.trim().split(/\s+/)
  const operands = rest.join(" ").split(/,\s*(?![^[]*\])/)
  const isLoad = /^ld[pr]/.test(mnemonic)
  const isStore = /^st[pr]/.test(mnemonic)
  const moved = /^(ldp|stp)$/.test(mnemonic) ? 2 : 1
  const memory = isLoad || isStore ? /\[(\w+)(?:, #(-?\d+))?\]/.exec(text) : null
  const isVector = operands.slice(0, isLoad || isStore ? 1 : 2).some(operand => /^[vqdz]\d/.test(operand))
  const isBranch = /^(b|bl|b\.\w+|cbn?z|ret)$/.test(mnemonic)
  const [first, others] = isLoad
    ? [operands.slice(0, moved), operands.slice(moved)]
    : [operands.slice(0, 1), operands.slice(1)]
  const writesFirst = !isStore && !isBranch && !/^(cmp|cmn)$/.test(mnemonic)
  const reads = (writesFirst ? others : operands).flatMap(registersOf)
  const writes = writesFirst ? first.flatMap(registersOf) : []
  if (ACCUMULATES.test(mnemonic)) reads.push(...writes)
  const [setsFlags, readsFlags] = [SETS_FLAGS.test(mnemonic), READS_FLAGS.test(mnemonic)]
  return {
    text,
    mnemonic,
    kind: isLoad ? "load" : isStore ? "store" : isBranch ? "branch" : isVector ? "vector" : "integer",
    writes: setsFlags ? [...writes, "f"] : writes,
    reads: readsFlags ? [...reads, "f"] : reads,
    place: memory ? `${memory[1]} ${memory[2] ?? 0}` : undefined,
    moved,
    isVectorMove: isVector,
    isQuad: operands[0]?.startsWith("q") ?? false,
    isShifted: !isVector && /, (lsl|lsr|asr) #/.test(text),
    usesFlags: setsFlags || readsFlags,
  }
}

export interface SimulationOptions {
  /** Passes through the loop, and those at the start that are not counted. */
  readonly passes?: number
  readonly warmUp?: number
}

interface Waiting {
  readonly instruction: number
  /** Index of the micro-operation to start next. */
  op: number
  readonly ops: readonly Placed[]
  /** Instructions whose results it reads; those from `open` on may be unfinished. */
  readonly needs: readonly number[]
  open: number
  /** The cycle from which it may start. */
  from: number
}

/** A micro-operation with its ports numbered. */
interface Placed {
  readonly ports: readonly number[]
  readonly latency: number
  readonly busy: number
  readonly scheduler: Scheduler
}

const NEVER = Number.POSITIVE_INFINITY

/** Returns the cycles that one pass through a loop takes. */
export function cyclesPerPass(loop: readonly string[], core: Core, options: SimulationOptions = {}): number {
  const { passes = 8, warmUp = 3 } = options
  const portNumbers = new Map<string, number>()
  const numberOf = (port: string): number => {
    if (!portNumbers.has(port)) portNumbers.set(port, portNumbers.size)
    return portNumbers.get(port)!
  }
  const placed = (op: MicroOp): Placed => ({ ...op, ports: op.ports.map(numberOf), scheduler: schedulerOf(op) })
  const renaming = numberOf(RENAMING)
  const body = loop.map(text => {
    const instruction = parseInstruction(text)
    const { slots, ops } = core.decode(instruction)
    return { instruction, slots, ops: (ops.length > 0 ? ops : ELIMINATED).map(placed) }
  })
  const count = body.length * passes
  const done = new Float64Array(count).fill(NEVER)
  const writer = new Map<string, number>()
  const stored = new Map<string, number>()
  const needsOf = (i: number): number[] => {
    const { reads, writes, place, kind } = body[i % body.length]!.instruction
    const needs = new Set<number>()
    for (const register of reads) if (writer.has(register)) needs.add(writer.get(register)!)
    if (place !== undefined && kind === "load" && stored.has(place)) needs.add(stored.get(place)!)
    if (place !== undefined && kind === "store") stored.set(place, i)
    for (const register of writes) writer.set(register, i)
    return [...needs]
  }
  /** The cycle from which each port is free. */
  const free = new Float64Array(portNumbers.size)
  const used: Record<Scheduler, number> = { integer: 0, vector: 0, memory: 0 }
  const waiting: Waiting[] = []
  let [cycle, next, head, start] = [0, 0, 0, 0]
  /** Starts the next micro-operation if it can. @returns whether the instruction still waits afterwards */
  const advance = (entry: Waiting): boolean => {
    if (entry.from > cycle) return true
    while (entry.open < entry.needs.length) {
      if (done[entry.needs[entry.open]!]! > cycle) return true
      entry.open++
    }
    const { ports, latency, busy, scheduler } = entry.ops[entry.op]!
    const port = ports.find(number => free[number]! <= cycle)
    if (port === undefined) return true
    if (port !== renaming) free[port] = cycle + busy
    used[scheduler]--
    entry.op++
    const following = entry.ops[entry.op]
    if (!following) {
      done[entry.instruction] = cycle + latency
      return false
    }
    used[following.scheduler]++
    entry.from = cycle + latency
    return true
  }
  while (head < count) {
    for (let retired = 0; head < next && done[head]! <= cycle && retired < core.retire; retired++) {
      head++
      if (head === warmUp * body.length) start = cycle
    }
    let kept = 0
    for (let i = 0; i < waiting.length; i++) if (advance(waiting[i]!)) waiting[kept++] = waiting[i]!
    waiting.length = kept
    for (let slots = core.dispatch; next < count && slots > 0 && next - head < core.window; ) {
      const { slots: needed, ops } = body[next % body.length]!
      const { scheduler } = ops[0]!
      if (needed > slots && slots < core.dispatch) break
      if (used[scheduler] >= core.schedulers[scheduler]) break
      used[scheduler]++
      waiting.push({ instruction: next, op: 0, ops, needs: needsOf(next), open: 0, from: 0 })
      next++
      slots -= needed
    }
    cycle++
  }
  return (cycle - start) / (passes - warmUp)
}

/** The port of moves that renaming performs, which is never busy. */
const RENAMING = "renaming"
const ELIMINATED: readonly MicroOp[] = [{ ports: [RENAMING], latency: 0, busy: 0 }]

/** Returns the least cycles that the loop takes by dispatch and ports alone, and which of them binds. */
export function boundPerPass(loop: readonly string[], core: Core): { cycles: number; by: string } {
  let slots = 0
  const names: string[] = []
  /** Cycles for which instructions occupy one of a set of ports, by the set's bits. */
  const load = new Map<number, number>()
  for (const text of loop) {
    const decoded = core.decode(parseInstruction(text))
    slots += decoded.slots
    for (const { ports, busy } of decoded.ops) {
      for (const port of ports) if (!names.includes(port)) names.push(port)
      const bits = ports.reduce((set, port) => set | (1 << names.indexOf(port)), 0)
      load.set(bits, (load.get(bits) ?? 0) + busy)
    }
  }
  const sets = [...load]
  let [cycles, by] = [slots / core.dispatch, 0]
  // Hall's condition: what can only run on a union of port sets takes at least its load divided by the union's size.
  const unions = new Set<number>()
  for (const [bits] of sets) for (const union of [0, ...unions]) unions.add(union | bits)
  for (const union of unions) {
    let [busy, size] = [0, 0]
    for (const [bits, one] of sets) if ((bits | union) === union) busy += one
    for (let rest = union; rest > 0; rest &= rest - 1) size++
    if (busy / size > cycles) [cycles, by] = [busy / size, union]
  }
  const binding = names.filter((_, n) => by & (1 << n)).sort()
  return { cycles, by: binding.length === 0 ? "dispatch" : binding.join(" ") }
}
