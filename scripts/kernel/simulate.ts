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
  readonly ops: readonly MicroOp[]
  readonly needs: readonly number[]
  /** The cycle from which it may start. */
  from: number
}

const NEVER = Number.POSITIVE_INFINITY

/** Returns the cycles that one pass through a loop takes. */
export function cyclesPerPass(loop: readonly string[], core: Core, options: SimulationOptions = {}): number {
  const { passes = 12, warmUp = 4 } = options
  const body = loop.map(text => {
    const instruction = parseInstruction(text)
    const { slots, ops } = core.decode(instruction)
    return {
      instruction,
      slots,
      ops: ops.length > 0 ? ops : ELIMINATED,
      scheduler: schedulerOf(ops[0] ?? ELIMINATED[0]!),
    }
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
  const free = new Map<string, number>()
  const used: Record<Scheduler, number> = { integer: 0, vector: 0, memory: 0 }
  let waiting: Waiting[] = []
  let [cycle, next, head, start] = [0, 0, 0, 0]
  while (head < count) {
    for (let retired = 0; head < next && done[head]! <= cycle && retired < core.retire; retired++) {
      head++
      if (head === warmUp * body.length) start = cycle
    }
    waiting = waiting.filter(entry => {
      if (entry.from > cycle) return true
      for (const need of entry.needs) if (done[need]! > cycle) return true
      const { ports, latency, busy } = entry.ops[entry.op]!
      const port = ports.find(name => (free.get(name) ?? 0) <= cycle)
      if (port === undefined) return true
      if (port !== RENAMING) free.set(port, cycle + busy)
      used[schedulerOf(entry.ops[entry.op]!)]--
      entry.op++
      const following = entry.ops[entry.op]
      if (!following) {
        done[entry.instruction] = cycle + latency
        return false
      }
      used[schedulerOf(following)]++
      entry.from = cycle + latency
      return true
    })
    for (let slots = core.dispatch; next < count && slots > 0 && next - head < core.window; ) {
      const { slots: needed, ops, scheduler } = body[next % body.length]!
      if (needed > slots && slots < core.dispatch) break
      if (used[scheduler] >= core.schedulers[scheduler]) break
      used[scheduler]++
      waiting.push({ instruction: next, op: 0, ops, needs: needsOf(next), from: 0 })
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
  const load = new Map<string, { ports: readonly string[]; busy: number }>()
  for (const text of loop) {
    const decoded = core.decode(parseInstruction(text))
    slots += decoded.slots
    for (const { ports, busy } of decoded.ops) {
      const key = [...ports].sort().join()
      load.set(key, { ports, busy: (load.get(key)?.busy ?? 0) + busy })
    }
  }
  const sets = [...load.values()]
  let best = { cycles: slots / core.dispatch, by: "dispatch" }
  // Hall's condition over all unions of port sets.
  for (let choice = 1; choice < 2 ** sets.length; choice++) {
    const union = new Set(sets.filter((_, i) => choice & (1 << i)).flatMap(({ ports }) => ports))
    const busy = sets.reduce((sum, set) => sum + (set.ports.every(port => union.has(port)) ? set.busy : 0), 0)
    if (busy / union.size > best.cycles) best = { cycles: busy / union.size, by: [...union].sort().join(" ") }
  }
  return best
}
