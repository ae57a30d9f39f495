/**
 * Finds hardware registers for a scheduled block. It goes through the code once and, where all registers are taken,
 * gives up the value whose next use is farthest (Belady's rule, optimal where all values cost the same): a value that
 * was loaded from memory still unchanged is read again from there, another is stored once.
 */
import type { EvexOptions } from "../x64/assembler/encode.ts"
import type {
  Memory,
  Operand,
  Register,
  RegisterClass,
  VirtualOperand,
  VirtualRegister,
} from "../x64/assembler/operands.ts"
import type { Instruction } from "../x64/assembler/table.ts"
import { type BlockInstruction, fileOf, memoryKey, type RegisterFile } from "./block.ts"

export interface AllocateOptions {
  /** Hardware numbers that may be used. */
  readonly registers: Readonly<Record<RegisterFile, readonly number[]>>
  /** Memory for the n-th value of a file that is stored, n = 0 … ; its size is the file's largest register's. */
  spillSlot(file: RegisterFile, n: number): Memory
  /** As for the scheduler. */
  readonly readOnly: ReadonlySet<number>
}

export interface PhysicalInstruction {
  readonly mnemonic: string
  /** The form of the mnemonic, where it is known already. */
  readonly row?: Instruction
  readonly operands: readonly Operand[]
  readonly options?: EvexOptions
}

export interface Allocation {
  readonly code: PhysicalInstruction[]
  /** Values stored, and values read again. */
  readonly stores: number
  readonly reloads: number
}

/** Plain moves between a register and memory. */
const MOVE: Readonly<Partial<Record<RegisterClass, string>>> = { r64: "mov", ymm: "vmovdqu", zmm: "vmovdqu64" }

interface Value {
  readonly class: RegisterClass
  readonly file: RegisterFile
  /** Instructions that read or write it, ascending; of them the number that are over, and the next. */
  readonly uses: number[]
  over: number
  next: number
  /** The last instruction for which it must not lose its register. */
  pinned: number
  /** Hardware number, while in a register. */
  n: number | undefined
  /** Where the same value stands in memory. */
  home: Memory | undefined
  /** The spill slot given to it, kept for its whole life. */
  slot: number | undefined
}

export function allocate(code: readonly BlockInstruction[], options: AllocateOptions): Allocation {
  return new Allocator(code, options).run()
}

class Allocator {
  readonly #code: readonly BlockInstruction[]
  readonly #options: AllocateOptions
  readonly #values = new Map<number, Value>()
  readonly #free: Record<RegisterFile, number[]>
  /** Values in registers, by file. */
  readonly #held: Record<RegisterFile, Set<Value>> = { integer: new Set(), vector: new Set(), mask: new Set() }
  /** Values loaded from memory that may be written, by place. */
  readonly #loaded = new Map<number, Value[]>()
  readonly #freeSlots: Record<RegisterFile, number[]> = { integer: [], vector: [], mask: [] }
  readonly #slotsAfter: { readonly file: RegisterFile; readonly slot: number }[] = []
  /** The instruction being placed. */
  #at = 0
  readonly #slots: Record<RegisterFile, number> = { integer: 0, vector: 0, mask: 0 }
  #stores = 0
  #reloads = 0
  readonly #out: PhysicalInstruction[] = []

  constructor(code: readonly BlockInstruction[], options: AllocateOptions) {
    this.#code = code
    this.#options = options
    const { integer, vector, mask } = options.registers
    this.#free = { integer: [...integer].reverse(), vector: [...vector].reverse(), mask: [...mask].reverse() }
    code.forEach(({ operands }, i) => {
      for (const operand of operands) {
        if (operand.kind === "virtual") this.#note(operand, i)
        else if (operand.kind === "memory") {
          if (operand.base?.kind === "virtual") this.#note(operand.base, i)
          if (operand.index?.kind === "virtual") this.#note(operand.index, i)
        }
      }
    })
  }

  #note({ id, class: cls }: VirtualRegister, i: number): void {
    const value = this.#values.get(id)
    if (value) {
      if (value.uses[value.uses.length - 1] !== i) value.uses.push(i)
      return
    }
    this.#values.set(id, {
      class: cls === "r32" ? "r64" : cls,
      file: fileOf(cls),
      uses: [i],
      over: 0,
      next: i,
      pinned: -1,
      n: undefined,
      home: undefined,
      slot: undefined,
    })
  }

  run(): Allocation {
    for (let i = 0; i < this.#code.length; i++) this.#place(this.#code[i]!, i)
    return { code: this.#out, stores: this.#stores, reloads: this.#reloads }
  }

  #place({ row, operands, options }: BlockInstruction, i: number): void {
    this.#at = i
    if (this.#isRenaming(row, operands, i)) return
    const [first] = operands
    if (first?.kind === "memory" && row.operands[0]!.write) this.#rescue(first as Memory<Register>)
    const foldable = this.#foldable(row, operands)
    const physical: Operand[] = []
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "memory") physical[k] = this.#memory(operand)
      else if (operand.kind !== "virtual") physical[k] = operand
      else if (k === foldable) {
        physical[k] = this.#value(operand.id).home!
        this.#reloads++
      } else if (row.operands[k]!.read || (options?.mask && !options.zero)) {
        const value = this.#value(operand.id)
        this.#bring(value)
        physical[k] = register(operand.class, value)
      }
    }
    // Reads are over: what is not needed again gives its register to the results.
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "virtual") this.#advance(this.#value(operand.id), i)
      else if (operand.kind === "memory") {
        if (operand.base?.kind === "virtual") this.#advance(this.#value(operand.base.id), i)
        if (operand.index?.kind === "virtual") this.#advance(this.#value(operand.index.id), i)
      }
    }
    let result: Value | undefined
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind !== "virtual" || !row.operands[k]!.write) continue
      const value = this.#value(operand.id)
      value.home = undefined
      // Read and written: it stays where it was read, also where nobody reads it again.
      if (row.operands[k]!.read) continue
      if (value.n === undefined) this.#claim(value)
      value.pinned = i
      result ??= value
      physical[k] = register(operand.class, value)
    }
    this.#out.push({ mnemonic: row.mnemonic, row, operands: physical, ...(options ? { options } : {}) })
    // What was written as a move between registers may read a slot, which will be another value's soon.
    if (operands[1]?.kind === "memory" && result) this.#noteLoad(row.mnemonic, physical[1] as Memory, result)
    for (const operand of operands) if (operand.kind === "virtual") this.#release(this.#value(operand.id))
    this.#freeSlotsAfter()
  }

  #memory(operand: Memory<VirtualRegister | Register>): Memory {
    if (operand.base?.kind !== "virtual" && operand.index?.kind !== "virtual") return operand as Memory
    const physical = (part: VirtualRegister | Register | undefined): Register | undefined => {
      if (part?.kind !== "virtual") return part
      const value = this.#value(part.id)
      this.#bring(value)
      return register("r64", value)
    }
    const [base, index] = [physical(operand.base), physical(operand.index)]
    return { ...operand, ...(base ? { base } : {}), ...(index ? { index } : {}) } as Memory
  }

  /** A move from a register that nobody reads afterwards: the value keeps it under its new name. */
  #isRenaming(row: Instruction, [to, from]: readonly VirtualOperand[], i: number): boolean {
    if (to?.kind !== "virtual" || from?.kind !== "virtual" || row.mnemonic !== MOVE[from.class]) return false
    const source = this.#value(from.id)
    const target = this.#value(to.id)
    if (source.n === undefined || source.uses.at(-1) !== i || target.n !== undefined) return false
    target.n = source.n
    this.#held[source.file].delete(source)
    this.#held[source.file].add(target)
    source.n = undefined
    this.#advance(source, i)
    this.#advance(target, i)
    this.#freeSlotsAfter()
    return true
  }

  #freeSlotsAfter(): void {
    for (let next = this.#slotsAfter.pop(); next; next = this.#slotsAfter.pop())
      this.#freeSlots[next.file].push(next.slot)
  }

  /** Brings back what was to be read again from memory that is about to be overwritten. */
  #rescue(written: Memory<Register>): void {
    const key = memoryKey(written, this.#options.readOnly)
    if (key === undefined) return
    for (const value of this.#loaded.get(key) ?? []) {
      if (value.slot !== undefined || !value.home || memoryKey(value.home, this.#options.readOnly) !== key) continue
      if (value.next !== NEVER) this.#bring(value)
      // It may be given up again at once, to a slot of its own.
      value.pinned = -1
      value.home = undefined
    }
    this.#loaded.delete(key)
  }

  /** The operand that can be read from memory in place, as its register was given up: the one in ModRM.rm, read once. */
  #foldable({ operands: patterns, at }: Instruction, operands: readonly VirtualOperand[]): number {
    const k = at.M
    const operand = operands[k]
    if (operand?.kind !== "virtual" || patterns[k]!.write || patterns[k]!.memory === undefined) return -1
    if (operands.some((other, j) => j !== k && other.kind === "virtual" && other.id === operand.id)) return -1
    const value = this.#value(operand.id)
    return value.n === undefined && value.home ? k : -1
  }

  #value(id: number): Value {
    return this.#values.get(id)!
  }

  /** Makes sure that a value is in a register. */
  #bring(value: Value): void {
    value.pinned = this.#at
    if (value.n !== undefined) return
    if (!value.home) throw new Error("a value is read before it is written")
    this.#claim(value)
    this.#out.push({ mnemonic: MOVE[value.class]!, operands: [register(value.class, value), value.home] })
    this.#reloads++
  }

  #claim(value: Value): void {
    const { file } = value
    if (this.#free[file].length === 0) this.#evict(file)
    value.n = this.#free[file].pop()!
    this.#held[file].add(value)
  }

  /** Gives up the value whose next use is farthest; of those as far, one that needs no store. */
  #evict(file: RegisterFile): void {
    let victim: Value | undefined
    for (const value of this.#held[file]) {
      if (value.pinned === this.#at) continue
      if (!victim || value.next > victim.next || (value.next === victim.next && value.home && !victim.home))
        victim = value
    }
    if (!victim) throw new Error("more values in one instruction than registers")
    if (!victim.home) {
      victim.slot ??= this.#freeSlots[file].pop() ?? this.#slots[file]++
      victim.home = this.#options.spillSlot(file, victim.slot)
      this.#out.push({ mnemonic: MOVE[victim.class]!, operands: [victim.home, register(victim.class, victim)] })
      this.#stores++
    }
    this.#free[file].push(victim.n!)
    this.#held[file].delete(victim)
    victim.n = undefined
  }

  #advance(value: Value, i: number): void {
    while (value.over < value.uses.length && value.uses[value.over]! <= i) value.over++
    value.next = value.uses[value.over] ?? NEVER
    this.#release(value)
  }

  #release(value: Value): void {
    if (value.next !== NEVER) return
    if (value.n !== undefined) {
      const { file } = value
      this.#free[file].push(value.n)
      this.#held[file].delete(value)
      value.n = undefined
    }
    // The instruction at hand may still read the slot.
    if (value.slot !== undefined) this.#slotsAfter.push({ file: value.file, slot: value.slot })
    value.slot = undefined
  }

  /** A plain load gives its result a home. */
  #noteLoad(mnemonic: string, from: Memory, result: Value): void {
    if (mnemonic !== MOVE[result.class]) return
    result.home = from
    const key = memoryKey(from, this.#options.readOnly)
    if (key === undefined) return
    const loaded = this.#loaded.get(key)
    if (loaded) loaded.push(result)
    else this.#loaded.set(key, [result])
  }
}

/** After every instruction. */
const NEVER = Number.POSITIVE_INFINITY

const register = (cls: RegisterClass, value: Value): Register => ({ kind: "register", class: cls, n: value.n! })
