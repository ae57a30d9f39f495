/** Operands of arm64 instructions. A register's class is its file; the form's syntax says which part of it is used. */
import type { RegisterFile } from "../../compiler/architecture.ts"
import {
  type Operand as AnyOperand,
  type VirtualRegister as AnyVirtualRegister,
  type Immediate,
  immediate,
  type Label,
  type Memory,
  memory,
  type Register,
} from "../../compiler/operands.ts"

export { type Immediate, type Label, type Memory, memory }

export type HardwareRegister = Register<RegisterFile>
export type VirtualRegister = AnyVirtualRegister<RegisterFile>
export type Operand = AnyOperand<RegisterFile>

/** A register over which blocks are written. */
export type Value = HardwareRegister | VirtualRegister

/** A word of memory, or several from there on. */
export type Place = Memory<Value>

/** An operand as `instruction` takes it. */
export type Argument = Value | Place | Label | number

const registers = (file: RegisterFile) =>
  Array.from({ length: 32 }, (_, n): HardwareRegister => ({ kind: "register", class: file, n }))
const INTEGERS = registers("integer")
const VECTORS = registers("vector")
export const x = (n: number): HardwareRegister => INTEGERS[n]!
export const v = (n: number): HardwareRegister => VECTORS[n]!
/** Reads as 0. */
export const ZERO = x(31)

/** @returns the operand, with numbers as immediates */
export const operandOf = <T extends Exclude<Argument, number>>(argument: T | number): T | Immediate =>
  typeof argument === "number" ? immediate(argument) : argument
