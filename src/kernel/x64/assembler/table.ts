/**
 * Parses instruction forms in the manual's notation. Each line is a form of five columns, separated by two or more blanks:
 *
 *   mnemonic   operands, each with its access (r, w, rw)   encoding                       Op/En   needs
 *   vpaddq     ymm:w ymm:r ymm/m256:r                      VEX.256.66.0F.WIG D4 /r        RVM     avx2
 *
 * `Op/En` has one letter per operand: R = ModRM.reg, M = ModRM.rm, V = VEX.vvvv, I = immediate, D = relative address,
 * O = the opcode's low bits. `needs` is `base` or a comma-separated list of CPU features. Implicit accesses to the flags
 * and to rax and rdx follow a `;`: `flags:rw`, `rdx:r`. Inconsistent forms are rejected.
 */
import type { RegisterClass } from "./operands.ts"

export const features = ["bmi2", "avx2", "avx512f", "avx512bw", "avx512ifma"] as const
export type Feature = (typeof features)[number]

export interface Access {
  readonly read: boolean
  readonly write: boolean
}

export type OperandPattern = Access & {
  /** The accepted register class; absent if registers are not accepted. */
  readonly register?: RegisterClass
  /** The size of the accepted memory operand in bytes; absent if memory is not accepted. */
  readonly memory?: number
  /** Whether the memory operand may be one 8-byte element that is repeated in all lanes (EVEX.b). */
  readonly broadcast?: boolean
  /** The size of the accepted immediate in bytes; absent if immediates are not accepted. */
  readonly immediate?: 1 | 4 | 8
  readonly relative?: boolean
}

const OPERAND_FIELDS = ["R", "M", "V", "I", "D", "O"] as const
export type OperandField = (typeof OPERAND_FIELDS)[number]

export interface Encoding {
  readonly prefix: "legacy" | "VEX" | "EVEX"
  /** Vector length in bits; 0 for LZ, LIG and legacy forms. */
  readonly length: 0 | 128 | 256 | 512
  readonly mandatory: "" | "66" | "F3" | "F2"
  readonly map: "" | "0F" | "0F38" | "0F3A"
  readonly wide: boolean
  readonly opcode: number
  /** "r" for `/r`, 2 for `/2`; absent if the form has no ModRM byte. */
  readonly modrm?: "r" | number
  /** Second opcode byte (xgetbv). */
  readonly suffix?: number
}

export interface Instruction extends Encoding {
  readonly mnemonic: string
  readonly operands: readonly OperandPattern[]
  readonly fields: readonly OperandField[]
  /** Index of the operand in each field; −1 if the field is unused. */
  readonly at: Readonly<Record<OperandField, number>>
  readonly needs: readonly Feature[]
  readonly flags: Access
  /** Implicit access to rax. */
  readonly rax: Access
  /** Implicit access to rdx. */
  readonly rdx: Access
  /** The source line, for messages. */
  readonly text: string
}

/** @returns the forms of each mnemonic @throws Error with the line of a malformed or inconsistent form */
export function parseTable(text: string): Map<string, Instruction[]> {
  const table = new Map<string, Instruction[]>()
  for (const line of text.split("\n")) {
    const form = line.replace(/#.*/, "").trim()
    if (!form) continue
    const instruction = parseForm(form)
    const forms = table.get(instruction.mnemonic)
    if (forms) forms.push(instruction)
    else table.set(instruction.mnemonic, [instruction])
  }
  return table
}

function parseForm(line: string): Instruction {
  const fail = (why: string): never => {
    throw new Error(`instruction form "${line}": ${why}`)
  }
  const columns = line.split(/\s{2,}/)
  if (columns.length !== 5) fail(`${columns.length} columns instead of 5`)
  const [mnemonic, operandText, encodingText, fieldText, needText] = columns as [string, string, string, string, string]
  const operands = operandText === "-" ? [] : operandText.split(" ").map(operand => parseOperand(operand, fail))
  const fields = fieldText === "-" ? [] : ([...fieldText] as OperandField[])
  const [needed = "", effects = ""] = needText.split(";").map(part => part.trim())
  const encoding = parseEncoding(encodingText, fail)
  const instruction: Instruction = {
    ...encoding,
    mnemonic,
    operands,
    fields,
    at: Object.fromEntries(OPERAND_FIELDS.map(field => [field, fields.indexOf(field)])) as Record<OperandField, number>,
    needs: needed === "base" ? [] : (needed.split(",") as Feature[]),
    flags: accessOf(effects, /flags:(r?w?)/),
    rax: accessOf(effects, /rax:(r?w?)/),
    rdx: accessOf(effects, /rdx:(r?w?)/),
    text: line,
  }
  validate(instruction, fail)
  return instruction
}

function accessOf(text: string, pattern: RegExp): Access {
  const access = pattern.exec(text)?.[1] ?? ""
  return { read: access.includes("r"), write: access.includes("w") }
}

function parseOperand(text: string, fail: (why: string) => never): OperandPattern {
  const [kinds = "", access = ""] = text.split(":")
  if (!/^(r|w|rw)$/.test(access)) fail(`operand ${text} has no access (r, w or rw)`)
  const pattern: { -readonly [K in keyof OperandPattern]: OperandPattern[K] } = {
    read: access.includes("r"),
    write: access.includes("w"),
  }
  for (const kind of kinds.split("/")) {
    if (/^(r32|r64|xmm|ymm|zmm|k)$/.test(kind)) pattern.register = kind as RegisterClass
    else if (/^m\d+$/.test(kind)) pattern.memory = Number(kind.slice(1)) / 8
    else if (kind === "m64bcst") pattern.broadcast = true
    else if (/^imm(8|32|64)$/.test(kind)) pattern.immediate = (Number(kind.slice(3)) / 8) as 1 | 4 | 8
    else if (kind === "rel32") pattern.relative = true
    else fail(`unknown operand ${kind}`)
  }
  return pattern
}

function parseEncoding(text: string, fail: (why: string) => never): Encoding {
  const [head = "", ...rest] = text.split(" ")
  const vector = /^(VEX|EVEX)\.(128|256|512|LZ|LIG)\.(?:(66|F3|F2)\.)?(0F|0F38|0F3A)\.(W0|W1|WIG)$/.exec(head)
  const tokens = vector ? rest : [head, ...rest]
  let mandatory: Encoding["mandatory"] = ""
  let map: Encoding["map"] = ""
  let wide = false
  let opcode: number | undefined
  let modrm: Encoding["modrm"]
  let suffix: number | undefined
  for (const token of tokens) {
    if (!vector && opcode === undefined && /^(66|F2|F3)$/.test(token)) mandatory = token as "66"
    else if (!vector && opcode === undefined && token === "REX.W") wide = true
    else if (!vector && opcode === undefined && map === "" && token === "0F") map = "0F"
    else if (!vector && opcode === undefined && map === "0F" && /^(38|3A)$/.test(token)) map = `0F${token}` as "0F38"
    else if (/^[0-9A-F]{2}$/.test(token) && opcode === undefined) opcode = Number.parseInt(token, 16)
    else if (/^[0-9A-F]{2}$/.test(token) && suffix === undefined) suffix = Number.parseInt(token, 16)
    else if (token === "/r") modrm = "r"
    else if (/^\/[0-7]$/.test(token)) modrm = Number(token[1])
    else if (!/^(ib|id|io|cd)$/.test(token)) fail(`unknown token "${token}"`)
  }
  if (opcode === undefined) return fail("no opcode")
  const optional = { ...(modrm === undefined ? {} : { modrm }), ...(suffix === undefined ? {} : { suffix }) }
  if (!vector) return { prefix: "legacy", length: 0, mandatory, map, wide, opcode, ...optional }
  return {
    prefix: vector[1] as "VEX" | "EVEX",
    length: /^\d/.test(vector[2]!) ? (Number(vector[2]) as 128 | 256 | 512) : 0,
    mandatory: (vector[3] ?? "") as Encoding["mandatory"],
    map: vector[4] as Encoding["map"],
    wide: vector[5] === "W1",
    opcode,
    ...optional,
  }
}

function validate(form: Instruction, fail: (why: string) => never): void {
  if (form.fields.length !== form.operands.length) fail("Op/En and operands differ in number")
  if (form.modrm === "r" && !form.fields.includes("R")) fail("/r without a register in ModRM.reg")
  if (form.modrm !== undefined && !form.fields.includes("M")) fail("ModRM without an operand in ModRM.rm")
  if (typeof form.modrm === "number" && form.fields.includes("R")) fail("ModRM.reg holds both a digit and an operand")
  if (form.prefix === "legacy" && form.fields.includes("V")) fail("vvvv without VEX")
  if (form.needs.some(need => !features.includes(need))) fail("unknown feature")
  if (form.prefix === "EVEX" && !form.needs.some(need => need.startsWith("avx512"))) fail("EVEX without AVX-512")
  form.operands.forEach((operand, i) => {
    const field = form.fields[i]!
    if (operand.memory !== undefined && field !== "M") fail(`memory in ${field}`)
    if ((operand.immediate !== undefined) !== (field === "I")) fail(`immediate in ${field}`)
    if ((operand.relative === true) !== (field === "D")) fail(`address in ${field}`)
    if (operand.broadcast && form.prefix !== "EVEX") fail("broadcast without EVEX")
    if (operand.register?.endsWith("mm") && (operand.register === "xmm") !== (form.prefix === "legacy")) {
      fail("xmm with VEX or EVEX, or a wider register without")
    }
    if (operand.register === "zmm" && form.length !== 512) fail("zmm in a shorter form")
    if (operand.register === "ymm" && form.length === 128) fail("ymm in a shorter form")
    if (operand.immediate === 8 && !form.wide) fail("64-bit immediate without REX.W")
  })
}
