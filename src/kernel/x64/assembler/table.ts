/**
 * Reads instruction rows written in the manual's notation. A row has five columns, separated by two or more blanks:
 *
 *   mnemonic   operands, each with its access (r, w, rw)   encoding                       Op/En   needs
 *   vpaddq     ymm:w ymm:r ymm/m256:r                      VEX.256.66.0F.WIG D4 /r        RVM     avx2
 *
 * `Op/En` has one letter an operand: R = ModRM.reg, M = ModRM.rm, V = VEX.vvvv, I = immediate, D = relative address,
 * O = the opcode's low bits. "needs" lists CPU features by comma, or `base`; after a `;` stands what happens to the flags and
 * to rdx beside the operands, `flags:rw`, `rdx:r`. A row that contradicts itself does not get past here.
 */
import type { RegisterClass } from "./operands.ts"

export const features = ["bmi2", "avx2", "avx512f", "avx512bw", "avx512ifma"] as const
export type Feature = (typeof features)[number]

export interface Access {
  readonly read: boolean
  readonly write: boolean
}

export type OperandPattern = Access & {
  /** The register class taken, if one is. */
  readonly register?: RegisterClass
  /** Bytes of the memory operand taken, if one is. */
  readonly memory?: number
  /** Whether the memory operand may be one 8-byte element in all lanes (EVEX.b). */
  readonly broadcast?: boolean
  readonly immediate?: 1 | 4 | 8
  readonly relative?: boolean
}

const OPERAND_FIELDS = ["R", "M", "V", "I", "D", "O"] as const
export type OperandField = (typeof OPERAND_FIELDS)[number]

export interface Encoding {
  readonly prefix: "legacy" | "VEX" | "EVEX"
  /** Vector bits; 0 for LZ and LIG, and for legacy rows. */
  readonly length: 0 | 128 | 256 | 512
  readonly mandatory: "" | "66" | "F3" | "F2"
  readonly map: "" | "0F" | "0F38" | "0F3A"
  readonly wide: boolean
  readonly opcode: number
  /** `/r`: "r"; `/2`: 2; none for rows without ModRM. */
  readonly modrm?: "r" | number
  /** A byte after the opcode that belongs to it (xgetbv). */
  readonly suffix?: number
}

export interface Instruction extends Encoding {
  readonly mnemonic: string
  readonly operands: readonly OperandPattern[]
  readonly fields: readonly OperandField[]
  /** The operand in each field, by its index; -1: none. */
  readonly at: Readonly<Record<OperandField, number>>
  readonly needs: readonly Feature[]
  readonly flags: Access
  /** What happens to rdx without its being an operand. */
  readonly rdx: Access
  /** The row as written, for messages. */
  readonly text: string
}

/** @throws Error naming the row, where one is malformed or contradicts itself */
export function parseTable(text: string): Map<string, Instruction[]> {
  const table = new Map<string, Instruction[]>()
  for (const line of text.split("\n")) {
    const row = line.replace(/#.*/, "").trim()
    if (!row) continue
    const instruction = parseRow(row)
    const forms = table.get(instruction.mnemonic)
    if (forms) forms.push(instruction)
    else table.set(instruction.mnemonic, [instruction])
  }
  return table
}

function parseRow(row: string): Instruction {
  const fail = (why: string): never => {
    throw new Error(`instruction row "${row}": ${why}`)
  }
  const columns = row.split(/\s{2,}/)
  if (columns.length !== 5) fail(`${columns.length} columns`)
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
    rdx: accessOf(effects, /rdx:(r?w?)/),
    text: row,
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
  if (!/^(r|w|rw)$/.test(access)) fail(`operand ${text} has no access`)
  const pattern: { -readonly [K in keyof OperandPattern]: OperandPattern[K] } = {
    read: access.includes("r"),
    write: access.includes("w"),
  }
  for (const kind of kinds.split("/")) {
    if (/^(r32|r64|ymm|zmm|k)$/.test(kind)) pattern.register = kind as RegisterClass
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
    else if (!/^(ib|id|io|cd)$/.test(token)) fail(`cannot read "${token}"`)
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

function validate(row: Instruction, fail: (why: string) => never): void {
  if (row.fields.length !== row.operands.length) fail("Op/En and operands differ in number")
  if (row.modrm === "r" && !row.fields.includes("R")) fail("/r without a register in ModRM.reg")
  if (row.modrm !== undefined && !row.fields.includes("M")) fail("ModRM without an operand in ModRM.rm")
  if (typeof row.modrm === "number" && row.fields.includes("R")) fail("ModRM.reg is both digit and operand")
  if (row.prefix === "legacy" && row.fields.includes("V")) fail("vvvv without VEX")
  if (row.needs.some(need => !features.includes(need))) fail("unknown feature")
  if (row.prefix === "EVEX" && !row.needs.some(need => need.startsWith("avx512"))) fail("EVEX without AVX-512")
  row.operands.forEach((operand, i) => {
    const field = row.fields[i]!
    if (operand.memory !== undefined && field !== "M") fail(`memory in ${field}`)
    if ((operand.immediate !== undefined) !== (field === "I")) fail(`immediate in ${field}`)
    if ((operand.relative === true) !== (field === "D")) fail(`address in ${field}`)
    if (operand.broadcast && row.prefix !== "EVEX") fail("broadcast without EVEX")
    if (operand.register?.endsWith("mm") && row.prefix === "legacy") fail("vector register without VEX or EVEX")
    if (operand.register === "zmm" && row.length !== 512) fail("zmm in a shorter row")
    if (operand.register === "ymm" && row.length === 128) fail("ymm in a shorter row")
    if (operand.immediate === 8 && !row.wide) fail("64-bit immediate without REX.W")
  })
}
