/**
 * Encodes one instruction, with a legacy (REX), VEX or EVEX prefix.
 */
import type { Immediate, Label, Memory, Operand, Register } from "./operands.ts"
import { format } from "./operands.ts"
import type { Instruction, OperandPattern } from "./table.ts"

export interface EvexOptions {
  /** Only lanes whose bit is set in this mask register, k1 … k7, are written. */
  readonly mask?: Register
  /** Lanes that are not written become 0 instead of keeping their values. */
  readonly zero?: boolean
}

/** A 4-byte displacement at offset `at`, relative to `end`, to be filled in once the label's offset is known. */
export interface Fixup {
  readonly at: number
  readonly end: number
  readonly displacement: number
  readonly label: string
}

/** @returns the first form whose patterns match the operands; undefined if no form does */
export function select<O extends { kind: string; class?: string; broadcast?: boolean; value?: number | bigint }>(
  forms: readonly Instruction[],
  operands: readonly O[],
): Instruction | undefined {
  for (const form of forms) {
    if (form.operands.length !== operands.length) continue
    let k = 0
    while (k < operands.length && takes(form.operands[k]!, operands[k]!)) k++
    if (k === operands.length) return form
  }
  return undefined
}

function takes(
  pattern: OperandPattern,
  operand: { kind: string; class?: string; broadcast?: boolean; value?: number | bigint },
): boolean {
  switch (operand.kind) {
    case "register":
    case "virtual":
      return pattern.register === operand.class
    case "memory":
      return operand.broadcast ? pattern.broadcast === true : pattern.memory !== undefined
    case "immediate":
      return pattern.immediate !== undefined && fits(operand.value!, pattern.immediate)
    default:
      return pattern.relative === true
  }
}

/** 1 byte: 0 … 255. 4 bytes: signed, because the CPU sign-extends them. 8 bytes: any signed or unsigned value. */
function fits(value: number | bigint, bytes: 1 | 4 | 8): boolean {
  if (bytes === 1) return value >= 0 && value <= 255
  const n = BigInt(value)
  if (bytes === 4) return n >= -(1n << 31n) && n < 1n << 31n
  return n >= -(1n << 63n) && n < 1n << 64n
}

const mapNumber = { "": 0, "0F": 1, "0F38": 2, "0F3A": 3 } as const
const mandatoryNumber = { "": 0, "66": 1, F3: 2, F2: 3 } as const

/** Appends the instruction's bytes to `code` and its unresolved displacements to `fixups`. */
export function encode(
  form: Instruction,
  operands: readonly Operand[],
  code: number[],
  fixups: Fixup[],
  options: EvexOptions = {},
): void {
  const { at } = form
  const registerAt = (k: number) => (k < 0 ? 0 : (operands[k] as Register).n)
  const rm = at.M < 0 ? undefined : (operands[at.M] as Register | Memory)
  const reg = typeof form.modrm === "number" ? form.modrm : registerAt(at.R)
  const vvvv = registerAt(at.V)
  const opcodeRegister = registerAt(at.O)
  const immediate = at.I < 0 ? undefined : (operands[at.I] as Immediate)
  const x = rm?.kind === "memory" ? (rm.index?.n ?? 0) : rm ? rm.n >> 1 : 0
  const b = rm?.kind === "memory" ? (rm.base?.n ?? 0) : rm ? rm.n : opcodeRegister

  if (form.prefix === "legacy") legacyPrefix(form, reg, x, b, rm, code)
  else if (form.prefix === "VEX") vexPrefix(form, reg, x, b, vvvv, rm, code)
  else evexPrefix(form, reg, x, b, vvvv, rm, options, code)
  code.push(form.opcode + (opcodeRegister & 7))
  if (form.suffix !== undefined) code.push(form.suffix)

  const first = fixups.length
  if (rm?.kind === "register") code.push(0xc0 | ((reg & 7) << 3) | (rm.n & 7))
  else if (rm) modrmMemory(form, reg, rm, operands, code, fixups)
  if (immediate) {
    const size = form.operands[at.I]!.immediate!
    if (size === 1) code.push(Number(immediate.value))
    else {
      let value = BigInt.asUintN(8 * size, BigInt(immediate.value))
      for (let i = 0; i < size; i++, value >>= 8n) code.push(Number(value & 255n))
    }
  }
  if (at.D >= 0) {
    const destination = operands[at.D] as Label
    fixups.push({ at: code.length, end: 0, displacement: 0, label: destination.name })
    code.push(0, 0, 0, 0)
  }
  for (let i = first; i < fixups.length; i++) fixups[i] = { ...fixups[i]!, end: code.length }
}

/** Appends the prefixes and opcode map of a legacy instruction. */
function legacyPrefix(form: Instruction, reg: number, x: number, b: number, rm: Operand | undefined, code: number[]) {
  if (form.mandatory) code.push(Number.parseInt(form.mandatory, 16))
  const index = rm?.kind === "memory" && x > 7 ? 1 : 0
  const rex = (form.wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (index << 1) | (b > 7 ? 1 : 0)
  if (rex) code.push(0x40 | rex)
  if (form.map) code.push(0x0f)
  if (form.map === "0F38") code.push(0x38)
  if (form.map === "0F3A") code.push(0x3a)
}

/** Appends the two-byte prefix if map, W, X and B allow it, the three-byte prefix otherwise. */
function vexPrefix(
  form: Instruction,
  reg: number,
  x: number,
  b: number,
  vvvv: number,
  rm: Operand | undefined,
  code: number[],
) {
  const index = rm?.kind === "memory" && x > 7
  const tail = ((~vvvv & 15) << 3) | (form.length === 256 ? 4 : 0) | mandatoryNumber[form.mandatory]
  const r = reg > 7 ? 0 : 0x80
  if (form.map === "0F" && !form.wide && !index && b <= 7) code.push(0xc5, r | tail)
  else code.push(0xc4, r | (index ? 0 : 0x40) | (b > 7 ? 0 : 0x20) | mapNumber[form.map], (form.wide ? 0x80 : 0) | tail)
}

/**
 * Appends four bytes: 62, then
 *   ~R  ~X  ~B  ~R'  0   m m m     R', V' and, for a register in rm, X extend register numbers to 5 bits
 *    W  ~v  ~v  ~v  ~v   1  p p
 *    z  L'  L   b  ~V'  a a a     aaa = mask, z = zeroing, b = broadcast, L'L = vector length
 */
function evexPrefix(
  form: Instruction,
  reg: number,
  x: number,
  b: number,
  vvvv: number,
  rm: Operand | undefined,
  { mask, zero = false }: EvexOptions,
  code: number[],
) {
  const memory = rm?.kind === "memory"
  const xBit = (x >> 3) & 1
  // 0, 1 and 2 encode 128, 256 and 512 bits.
  const length = form.length >> 8
  code.push(
    0x62,
    (reg & 8 ? 0 : 0x80) | (xBit ? 0 : 0x40) | (b & 8 ? 0 : 0x20) | (reg & 16 ? 0 : 0x10) | mapNumber[form.map],
    (form.wide ? 0x80 : 0) | ((~vvvv & 15) << 3) | 4 | mandatoryNumber[form.mandatory],
    (zero ? 0x80 : 0) |
      (length << 5) |
      (memory && rm.broadcast ? 0x10 : 0) |
      (vvvv & 16 ? 0 : 8) |
      (mask ? mask.n & 7 : 0),
  )
}

function modrmMemory(
  form: Instruction,
  reg: number,
  rm: Memory,
  operands: readonly Operand[],
  code: number[],
  fixups: Fixup[],
): void {
  const field = (reg & 7) << 3
  if (rm.label) {
    if (rm.base || rm.index) throw new Error(`${form.mnemonic}: both a label and a base register in ${format(rm)}`)
    code.push(field | 5)
    fixups.push({ at: code.length, end: 0, displacement: rm.displacement, label: rm.label.name })
    push32(code, 0)
    return
  }
  if (!rm.base)
    throw new Error(`${form.mnemonic} ${operands.map(format).join(", ")}: memory operand without a base register`)
  const base = rm.base.n & 7
  // EVEX scales an 8-bit displacement by the size of the memory operand.
  const size = form.prefix === "EVEX" ? (rm.broadcast ? 8 : form.operands[form.at.M]!.memory!) : 1
  const short = rm.displacement / size
  const isShort = Number.isInteger(short) && short >= -128 && short <= 127
  // With rbp or r13 as the base, a displacement is mandatory.
  const mod = rm.displacement === 0 && base !== 5 ? 0 : isShort ? 1 : 2
  if (rm.index || base === 4) {
    if (rm.index?.n === 4) throw new Error(`${form.mnemonic}: rsp cannot be an index`)
    const scale = { 1: 0, 2: 1, 4: 2, 8: 3 }[rm.scale ?? 1]
    code.push((mod << 6) | field | 4, (scale << 6) | ((rm.index ? rm.index.n & 7 : 4) << 3) | base)
  } else code.push((mod << 6) | field | base)
  if (mod === 1) code.push(short & 255)
  else if (mod === 2) push32(code, rm.displacement)
}

function push32(code: number[], value: number): void {
  code.push(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255)
}
