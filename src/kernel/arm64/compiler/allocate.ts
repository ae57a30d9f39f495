/**
 * Assigns hardware registers to scheduled code in one pass. If all registers are in use, the value whose next use is
 * farthest is evicted (Belady's rule). An evicted constant is reloaded from its place; another value is spilled once.
 */
import { type Operand, type Register, v, x } from "../assembler/assembler.ts"
import type { RegisterFile } from "../assembler/table.ts"
import { forEachRead, type Instruction, instruction, isVirtual } from "./block.ts"

export interface AllocateOptions {
  /** Numbers of the hardware registers that may be used. */
  readonly registers: Readonly<Record<RegisterFile, readonly number[]>>
  /** Returns a load or store of spill location `n` of the register's file. @throws RangeError if there is no such location */
  spill(kind: "load" | "store", register: Register, n: number): Instruction
}

export interface Allocation {
  readonly code: Instruction[]
  /** Spilled values. */
  readonly stores: number
  /** Reloaded values and constants. */
  readonly reloads: number
  /** Registers copied because an instruction overwrites a value that is read again. */
  readonly copies: number
}

interface Value {
  readonly file: RegisterFile
  /** Indexes of the instructions that read it, ascending. The first `over` are past. */
  readonly uses: number[]
  over: number
  n: number | undefined
  /** Returns the instruction that reloads it. */
  home: ((register: Register) => Instruction) | undefined
  location: number | undefined
}

const hardware = (file: RegisterFile, n: number): Register => (file === "integer" ? x(n) : v(n))

export function allocate(code: readonly Instruction[], { registers, spill }: AllocateOptions): Allocation {
  const values = new Map<number, Value>()
  const known = (register: Register): Value => {
    let value = values.get(register.n)
    if (!value) {
      value = { file: register.file, uses: [], over: 0, n: undefined, home: undefined, location: undefined }
      values.set(register.n, value)
    }
    return value
  }
  for (const [i, one] of code.entries())
    forEachRead(one, register => {
      if (isVirtual(register)) known(register).uses.push(i)
    })

  const free = { integer: [...registers.integer].reverse(), vector: [...registers.vector].reverse() }
  const held = { integer: new Set<Value>(), vector: new Set<Value>() }
  const locations = { integer: { next: 0, free: [] as number[] }, vector: { next: 0, free: [] as number[] } }
  const out: Instruction[] = []
  const counts = { stores: 0, reloads: 0, copies: 0 }
  let needed = new Set<Value>()
  const nextUse = ({ uses, over }: Value) => uses[over] ?? Number.POSITIVE_INFINITY

  const claim = (value: Value): Register => {
    const { file } = value
    if (free[file].length === 0) evict(file)
    value.n = free[file].pop()!
    held[file].add(value)
    return hardware(file, value.n)
  }
  const evict = (file: RegisterFile) => {
    let victim: Value | undefined
    for (const value of held[file]) {
      if (needed.has(value)) continue
      const [a, b] = [nextUse(value), victim ? nextUse(victim) : -1]
      if (!victim || a > b || (a === b && value.home && !victim.home)) victim = value
    }
    if (!victim) throw new Error("an instruction uses more values than there are registers")
    if (!victim.home) {
      const location = locations[file].free.pop() ?? locations[file].next++
      victim.location = location
      victim.home = register => spill("load", register, location)
      out.push(spill("store", hardware(file, victim.n!), location))
      counts.stores++
    }
    free[file].push(victim.n!)
    held[file].delete(victim)
    victim.n = undefined
  }
  const bring = (value: Value): Register => {
    needed.add(value)
    if (value.n !== undefined) return hardware(value.file, value.n)
    if (!value.home) throw new Error("a virtual register is read before it is written")
    out.push(value.home(claim(value)))
    counts.reloads++
    return hardware(value.file, value.n!)
  }
  const release = (value: Value) => {
    if (nextUse(value) !== Number.POSITIVE_INFINITY) return
    if (value.n !== undefined) {
      free[value.file].push(value.n)
      held[value.file].delete(value)
      value.n = undefined
    }
    if (value.location !== undefined) locations[value.file].free.push(value.location)
    value.location = undefined
  }

  code.forEach((one, i) => {
    needed = new Set()
    const read = new Map<number, Register>()
    const readValues: Value[] = []
    forEachRead(one, register => {
      if (!isVirtual(register) || read.has(register.n)) return
      const value = known(register)
      read.set(register.n, bring(value))
      readValues.push(value)
    })
    // An accumulator that is read again later is copied first.
    let destination: Register | undefined
    if (one.onto) {
      const source = isVirtual(one.onto) ? read.get(one.onto.n)! : one.onto
      const value = isVirtual(one.onto) ? known(one.onto) : undefined
      const isLast = value !== undefined && value.uses.at(-1) === i
      const result = known(one.operands[0] as Register)
      if (isLast && value) {
        held[value.file].delete(value)
        result.n = value.n
        value.n = undefined
        held[result.file].add(result)
        destination = source
      } else {
        destination = claim(result)
        out.push(copy(destination, source))
        counts.copies++
      }
      needed.add(result)
    }
    for (const value of readValues) {
      while (value.uses[value.over] !== undefined && value.uses[value.over]! <= i) value.over++
      release(value)
    }
    const writtenValues: Value[] = []
    const operands = one.operands.map((operand, k): Operand => {
      if (!isVirtual(operand)) return operand
      const pattern = one.form.operands[k]!
      if (pattern.kind !== "register" || !pattern.write) return read.get(operand.n)!
      const value = known(operand)
      writtenValues.push(value)
      if (one.onto) return destination!
      const register = claim(value)
      needed.add(value)
      return register
    })
    if (one.isConstant) {
      const { form } = one
      const result = writtenValues[0]!
      const [, ...from] = operands
      result.home = register => ({ form, operands: [register, ...from] })
    }
    out.push({ form: one.form, operands })
    for (const value of writtenValues) release(value)
  })
  return { code: out, ...counts }
}

const copy = (to: Register, from: Register): Instruction =>
  to.file === "integer"
    ? instruction("mov Xd, Xm", to, from)
    : instruction("orr Vd.16B, Vn.16B, Vm.16B", to, from, from)
