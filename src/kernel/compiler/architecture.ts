/**
 * What the passes need to know about an instruction set and a core. `x64/compiler/architecture.ts` is an example.
 *
 * To compile for another architecture, supply an `Architecture`, one or more `CoreModel`s, the hardware registers that
 * the allocator may use, the memory of spilled values, and an assembler for `PhysicalInstruction`s.
 */
import type { Memory, Operand, Register, VirtualOperand } from "./operands.ts"

/** Registers that can hold each other's values. Mask and flag registers belong to none: they are never allocated. */
export type RegisterFile = "integer" | "vector"

export const REGISTER_FILES: readonly RegisterFile[] = ["integer", "vector"]

/** Whether an operand is read, written, or both. */
export interface Access {
  readonly read: boolean
  readonly write: boolean
}

/** A form of a mnemonic: its operands' kinds and accesses. Architectures add how it is encoded. */
export interface InstructionForm {
  readonly mnemonic: string
}

/** An instruction of a block. */
export interface BlockInstruction {
  readonly form: InstructionForm
  readonly operands: readonly VirtualOperand[]
  /** What the architecture's assembler takes beside operands, e.g. a mask register. */
  readonly options?: object
}

/** An instruction whose registers are assigned. */
export interface PhysicalInstruction {
  readonly mnemonic: string
  /** Absent for moves that the allocator added. */
  readonly form?: InstructionForm
  readonly operands: readonly Operand[]
  readonly options?: object
}

/** State that an instruction reads or writes beside its operands: flags, mask registers, fixed registers. */
export interface ImplicitAccess {
  /** Numbers from 0, one for each piece of state; those of hardware registers are `numberOf`'s. */
  readonly reads: readonly number[]
  readonly writes: readonly number[]
}

export interface Architecture {
  /** Whether integer code keeps its order in hot blocks, because most of its instructions write the flags. */
  readonly keepsIntegerOrder: boolean
  /** The file that a class of registers belongs to. Classes that are never allocated count as vectors. */
  fileOf(registerClass: string): RegisterFile
  /** A number from 0 for a hardware register, different from those of all other registers and implicit state. */
  numberOf(register: Register): number
  /** How operand `k` is accessed. An instruction that leaves some lanes of its result unchanged also reads it. */
  accessOf(instruction: BlockInstruction, k: number): Access
  implicitAccess(instruction: BlockInstruction): ImplicitAccess
  /** Whether the instruction only loads a whole register from memory: operand 0 from operand 1. */
  isLoad(instruction: BlockInstruction): boolean
  /** Whether the instruction only stores a whole integer register. @returns indices of the memory and of the register */
  storeOf(instruction: BlockInstruction): { readonly place: number; readonly value: number } | undefined
  /** Whether the instruction only copies a whole register: operand 0 from operand 1. */
  isCopy(instruction: BlockInstruction): boolean
  /**
   * The memory whose content operand 0 holds after the instruction, as `load` and `foldable` take it: that of a load, or of
   * one element that is repeated in all lanes; undefined for other instructions.
   */
  loadedFrom(operands: readonly Operand[], instruction: BlockInstruction): Memory | undefined
  /** The index of the register operand that memory could replace; −1 if absent. */
  foldable(instruction: BlockInstruction): number
  /**
   * Whether the instruction must directly follow the one before it: because it reads flags that the other writes, or
   * overwrites the copy that the other makes.
   */
  followsPrevious(instruction: BlockInstruction): boolean
  /** Whether this memory could replace operand `k`, which is `foldable`. */
  canFold(instruction: BlockInstruction, k: number, from: Memory): boolean
  /** The class that names a whole register, for a class that names a part of it. */
  wholeClass(registerClass: string): string
  load(to: Register, from: Memory): PhysicalInstruction
  store(to: Memory, from: Register): PhysicalInstruction
}

/** `[port, starts]`: more than one start if the port is busy for several cycles. */
export type PortUse = readonly [port: number, starts: number]

/** A core that a schedule is made for. Order matters more than exact figures: cores reorder instructions themselves. */
export interface CoreModel {
  readonly name: string
  /** Instructions that each port starts in a cycle, by port number. */
  readonly capacity: readonly number[]
  /** The ports that an instruction occupies, by number, and how many of the port's starts each takes. */
  portsOf(instruction: BlockInstruction): readonly PortUse[]
  /** Cycles from the start of an instruction until its result can be used. */
  latencyOf(instruction: BlockInstruction): number
}

/** A block's code over hardware registers. */
export interface Allocation {
  readonly code: PhysicalInstruction[]
  /** Values stored because no register was free, and values read again. */
  readonly stores: number
  readonly reloads: number
}
