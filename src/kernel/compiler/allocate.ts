/**
 * Assigns hardware registers in a scheduled block. The allocator goes through the code once. If all registers are taken,
 * it evicts the value whose next use is farthest (Belady's rule, optimal if all values cost the same). A value that was
 * loaded from memory, which has not changed since, is read again from there; any other is stored once.
 */
import type { Allocation, Architecture, BlockInstruction, PhysicalInstruction, RegisterFile } from "./architecture.ts"
import { memoryKey } from "./memory-key.ts"
import type { Memory, Operand, Register, VirtualOperand, VirtualRegister } from "./operands.ts"

export interface AllocateOptions {
  readonly architecture: Architecture
  /** Hardware numbers that may be used. */
  readonly registers: Readonly<Record<RegisterFile, readonly number[]>>
  /** Memory for spilled value *n* of a file, *n* = 0, 1, …; its size is that of the file's largest register. */
  spillLocation(file: RegisterFile, n: number): Memory
  /** As for the scheduler. */
  readonly readOnly: ReadonlySet<number>
}

interface Value {
  readonly class: string
  readonly file: RegisterFile
  /** Instructions that read or write it, ascending. */
  readonly uses: number[]
  /** Number of uses that precede the current instruction. */
  past: number
  /** The next instruction that uses it. */
  next: number
  /** The last instruction during which it must keep its register. */
  keptFor: number
  /** Hardware number while in a register. */
  n: number | undefined
  /** Memory that holds the same value. */
  home: Memory | undefined
  /** Its spill location, kept until its last use. */
  location: number | undefined
}

export function allocate(code: readonly BlockInstruction[], options: AllocateOptions): Allocation {
  return new Allocator(code, options).run()
}

class Allocator {
  readonly #code: readonly BlockInstruction[]
  readonly #options: AllocateOptions
  readonly #architecture: Architecture
  readonly #values = new Map<number, Value>()
  readonly #free: Record<RegisterFile, number[]>
  /** Values in registers, by file. */
  readonly #held: Record<RegisterFile, Set<Value>> = { integer: new Set(), vector: new Set() }
  /** Values loaded from memory that may be written, by place. */
  readonly #loaded = new Map<number, Value[]>()
  /** Values loaded from memory whose address is in a register that the allocator assigned. */
  #pointed: Value[] = []
  readonly #freeLocations: Record<RegisterFile, number[]> = { integer: [], vector: [] }
  readonly #locationsAfter: { readonly file: RegisterFile; readonly location: number }[] = []
  /** The instruction being placed. */
  #at = 0
  readonly #locations: Record<RegisterFile, number> = { integer: 0, vector: 0 }
  #stores = 0
  #reloads = 0
  readonly #out: PhysicalInstruction[] = []

  constructor(code: readonly BlockInstruction[], options: AllocateOptions) {
    this.#code = code
    this.#options = options
    this.#architecture = options.architecture
    const { integer, vector } = options.registers
    this.#free = { integer: [...integer].reverse(), vector: [...vector].reverse() }
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
      class: this.#architecture.wholeClass(cls),
      file: this.#architecture.fileOf(cls),
      uses: [i],
      past: 0,
      next: i,
      keptFor: -1,
      n: undefined,
      home: undefined,
      location: undefined,
    })
  }

  run(): Allocation {
    for (let i = 0; i < this.#code.length; i++) this.#place(this.#code[i]!, i)
    return { code: this.#out, stores: this.#stores, reloads: this.#reloads }
  }

  #place(instruction: BlockInstruction, i: number): void {
    const { form, operands, options } = instruction
    const accesses = operands.map((_, k) => this.#architecture.accessOf(instruction, k))
    this.#at = i
    if (this.#isRenaming(instruction, i)) return
    operands.forEach((operand, k) => {
      if (operand.kind === "memory" && accesses[k]!.write) this.#rescue(operand as Memory<Register>)
    })
    const foldable = this.#foldable(instruction)
    const physical: Operand[] = []
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!
      if (operand.kind === "memory") physical[k] = this.#memory(operand)
      else if (operand.kind !== "virtual") physical[k] = operand
      else if (k === foldable) {
        physical[k] = this.#value(operand.id).home!
        this.#reloads++
      } else if (accesses[k]!.read) {
        const value = this.#value(operand.id)
        this.#bring(value)
        physical[k] = register(operand.class, value)
      }
    }
    // Reads are done: a value that is not needed again gives its register to the results.
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
      if (operand.kind !== "virtual" || !accesses[k]!.write) continue
      const value = this.#value(operand.id)
      value.home = undefined
      // Read and written: it keeps the register that it was read from, even if it is not read again.
      if (accesses[k]!.read) continue
      if (value.n === undefined) this.#claim(value)
      value.keptFor = i
      result ??= value
      physical[k] = register(operand.class, value)
    }
    for (let k = 0; k < operands.length; k++) if (accesses[k]!.write) this.#rescuePointed(physical[k]!)
    this.#out.push({ mnemonic: form.mnemonic, form, operands: physical, ...(options ? { options } : {}) })
    // A copy may have become a load of a spill location, which is soon another value's: only a written load counts.
    const source = operands[1]
    const loaded = result && source?.kind === "memory" && this.#architecture.loadedFrom(physical, instruction)
    if (result && loaded && source?.kind === "memory") {
      const isPointed = isVirtual(source.base) || isVirtual(source.index)
      // A load may overwrite its pointer.
      if (!(isPointed && result.file === "integer" && isAddressedBy(loaded, result.n!))) this.#noteLoad(loaded, result)
      if (isPointed) this.#pointed.push(result)
    }
    for (const operand of operands) if (operand.kind === "virtual") this.#release(this.#value(operand.id))
    this.#freeLocationsAfter()
  }

  #memory(operand: Memory<VirtualRegister | Register>): Memory {
    if (operand.base?.kind !== "virtual" && operand.index?.kind !== "virtual") return operand as Memory
    const physical = (part: VirtualRegister | Register | undefined): Register | undefined => {
      if (part?.kind !== "virtual") return part
      const value = this.#value(part.id)
      this.#bring(value)
      return register(part.class, value)
    }
    const [base, index] = [physical(operand.base), physical(operand.index)]
    return { ...operand, ...(base ? { base } : {}), ...(index ? { index } : {}) } as Memory
  }

  /** A copy of a register that is not read afterwards: the value keeps it under its new name, and no code is needed. */
  #isRenaming(instruction: BlockInstruction, i: number): boolean {
    const [to, from] = instruction.operands
    if (to?.kind !== "virtual" || from?.kind !== "virtual" || !this.#architecture.isCopy(instruction)) return false
    const source = this.#value(from.id)
    const target = this.#value(to.id)
    if (source.uses.at(-1) !== i || target.n !== undefined) return false
    if (source.n === undefined) {
      if (this.#architecture.foldable(instruction) >= 0) return false
      this.#bring(source)
    }
    target.n = source.n
    this.#held[source.file].delete(source)
    this.#held[source.file].add(target)
    source.n = undefined
    this.#advance(source, i)
    this.#advance(target, i)
    this.#freeLocationsAfter()
    return true
  }

  #freeLocationsAfter(): void {
    for (let next = this.#locationsAfter.pop(); next; next = this.#locationsAfter.pop())
      this.#freeLocations[next.file].push(next.location)
  }

  /** Loads the values that were to be read again from memory which is about to be overwritten. */
  #rescue(written: Memory<Register>): void {
    const key = memoryKey(written, this.#options.readOnly)
    if (key === undefined) return
    for (const value of this.#loaded.get(key) ?? []) {
      if (value.location !== undefined || !value.home || memoryKey(value.home, this.#options.readOnly) !== key) continue
      if (value.next !== NEVER) this.#bring(value)
      // It may be evicted again at once, to a spill location.
      value.keptFor = -1
      value.home = undefined
    }
    this.#loaded.delete(key)
  }

  /** Loads the values that were to be read again through a register which is about to be overwritten. */
  #rescuePointed(written: Operand): void {
    if (
      this.#pointed.length === 0 ||
      written.kind !== "register" ||
      this.#architecture.fileOf(written.class) !== "integer"
    )
      return
    const lost = this.#pointed.filter(({ home }) => home && isAddressedBy(home, written.n))
    if (lost.length === 0) return
    this.#pointed = this.#pointed.filter(value => !lost.includes(value))
    for (const value of lost) {
      if (value.location !== undefined) continue
      const { keptFor } = value
      if (value.next !== NEVER) this.#bring(value)
      value.keptFor = keptFor
      value.home = undefined
    }
  }

  /** The operand to be read from memory in place because its value was evicted; −1 without such an operand. */
  #foldable(instruction: BlockInstruction): number {
    const k = this.#architecture.foldable(instruction)
    const { operands } = instruction
    const operand: VirtualOperand | undefined = operands[k]
    if (operand?.kind !== "virtual") return -1
    if (operands.some((other, j) => j !== k && other.kind === "virtual" && other.id === operand.id)) return -1
    const value = this.#value(operand.id)
    if (value.n !== undefined || !value.home) return -1
    return this.#architecture.canFold(instruction, k, value.home) ? k : -1
  }

  #value(id: number): Value {
    return this.#values.get(id)!
  }

  /** Makes sure that a value is in a register. */
  #bring(value: Value): void {
    value.keptFor = this.#at
    if (value.n !== undefined) return
    if (!value.home) throw new Error("a virtual register is read before it is written")
    const { home } = value
    this.#claim(value)
    this.#rescuePointed(register(value.class, value))
    this.#out.push(this.#architecture.load(register(value.class, value), home))
    this.#reloads++
  }

  #claim(value: Value): void {
    const { file } = value
    if (this.#free[file].length === 0) this.#evict(file)
    value.n = this.#free[file].pop()!
    this.#held[file].add(value)
  }

  /** Evicts the value whose next use is farthest; among equals, one that needs no store. */
  #evict(file: RegisterFile): void {
    let victim: Value | undefined
    for (const value of this.#held[file]) {
      if (value.keptFor === this.#at) continue
      if (!victim || value.next > victim.next || (value.next === victim.next && value.home && !victim.home))
        victim = value
    }
    if (!victim) throw new Error("an instruction uses more values than there are registers")
    if (!victim.home) {
      victim.location ??= this.#freeLocations[file].pop() ?? this.#locations[file]++
      const home = this.#options.spillLocation(file, victim.location)
      victim.home = home
      this.#out.push(this.#architecture.store(home, register(victim.class, victim)))
      this.#stores++
    }
    this.#free[file].push(victim.n!)
    this.#held[file].delete(victim)
    victim.n = undefined
  }

  #advance(value: Value, i: number): void {
    while (value.past < value.uses.length && value.uses[value.past]! <= i) value.past++
    value.next = value.uses[value.past] ?? NEVER
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
    // The current instruction may still read the location.
    if (value.location !== undefined) this.#locationsAfter.push({ file: value.file, location: value.location })
    value.location = undefined
  }

  /** Memory that a load read is its result's home. */
  #noteLoad(from: Memory, result: Value): void {
    result.home = from
    const key = memoryKey(from, this.#options.readOnly)
    if (key === undefined) return
    const loaded = this.#loaded.get(key)
    if (loaded) loaded.push(result)
    else this.#loaded.set(key, [result])
  }
}

const isAddressedBy = ({ base, index }: Memory, n: number): boolean => base?.n === n || index?.n === n

const isVirtual = (register: Register | VirtualRegister | undefined): boolean => register?.kind === "virtual"

/** After every instruction. */
const NEVER = Number.POSITIVE_INFINITY

const register = (cls: string, value: Value): Register => ({ kind: "register", class: cls, n: value.n! })
