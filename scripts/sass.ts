/** Assembles PTX with `ptxas` and reports registers, spills, and the instructions per nonce and pipe. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type PtxOptions, renderPtx } from "../src/kernel/ptx/ptx-program.ts"
import { weightsOf } from "./loop-weights.ts"

export interface Assembled {
  readonly registers: number
  /** Bytes of spill stores and spill loads. */
  readonly spilled: number
  /** Bytes of machine code. */
  readonly bytes: number
  /** Instructions executed per nonce; undefined without a disassembler. */
  readonly counts: Counts | undefined
}

/** Instructions that one thread executes per nonce. */
export interface Counts {
  /** 32 × 32 → 64-bit products on the multiply-add pipe. */
  readonly wide: number
  /** Other instructions on the multiply-add pipe. */
  readonly multiplyAdd: number
  /** Additions, shifts, logic, comparisons. */
  readonly logic: number
  /** Memory and control. */
  readonly other: number
}

/** The assembler and the disassembler, from `$PTXAS` and `$NVDISASM`, otherwise from PATH; undefined if absent. */
export const tools = {
  ptxas: process.env["PTXAS"] ?? Bun.which("ptxas") ?? undefined,
  nvdisasm: process.env["NVDISASM"] ?? Bun.which("nvdisasm") ?? undefined,
}

/**
 * Assembles a module for an architecture.
 * @param options what it is rendered with
 * @throws Error with the assembler's message if it rejects the text
 */
export function assemble(ptxas: string, options: PtxOptions, architecture: string): Assembled {
  const ptx = renderPtx(options)
  const rolled = options.rolled ?? false
  const directory = mkdtempSync(join(tmpdir(), "ptxas-"))
  try {
    const [text, cubin] = [join(directory, "kernel.ptx"), join(directory, "kernel.cubin")]
    writeFileSync(text, ptx)
    const { exitCode, stderr } = Bun.spawnSync([ptxas, "-v", "-arch", architecture, "-o", cubin, text])
    const said = stderr.toString()
    if (exitCode !== 0) throw new Error(said)
    const search = said.slice(said.indexOf("'search'"))
    const number = (pattern: RegExp) => Number(pattern.exec(search)?.[1] ?? 0)
    const instructions = tools.nvdisasm === undefined ? undefined : disassemble(tools.nvdisasm, cubin)
    return {
      registers: number(/Used (\d+) registers/),
      spilled: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
      bytes: (instructions?.length ?? 0) * 16,
      counts: instructions && count(instructions, rolled),
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

interface Instruction {
  readonly address: number
  readonly name: string
  /** Target address of a branch. */
  readonly target: number | undefined
}

/** Returns the instructions of the search kernel. */
function disassemble(nvdisasm: string, cubin: string): Instruction[] {
  const lines = Bun.spawnSync([nvdisasm, "-c", cubin]).stdout.toString().split("\n")
  const start = lines.findIndex(line => line.startsWith(".text.search:"))
  const length = lines.slice(start + 1).findIndex(line => line.startsWith(".text."))
  const body = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length)
  const addressOf = (line: string | undefined) =>
    Number.parseInt(/\/\*([0-9a-f]{4,5})\*\//.exec(line ?? "")?.[1] ?? "", 16)
  const labels = new Map<string, number>()
  for (const [i, line] of body.entries()) {
    const label = /^(\.L\w+):/.exec(line)?.[1]
    if (label) labels.set(label, addressOf(body.slice(i).find(next => /\/\*[0-9a-f]{4,5}\*\//.test(next))))
  }
  return body.flatMap(line => {
    const match = /\/\*[0-9a-f]{4,5}\*\/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]+)(.*);/.exec(line)
    if (!match) return []
    const label = match[1]!.startsWith("BRA") ? /(\.L\w+)/.exec(match[2]!)?.[1] : undefined
    return [{ address: addressOf(line), name: match[1]!, target: label ? labels.get(label) : undefined }]
  })
}

/** Counts every instruction once per execution. */
function count(instructions: readonly Instruction[], rolled: boolean): Counts {
  const weights = weightsOf(
    instructions.map(({ address, name, target }) => ({ at: address, target, isWide: pipeOf(name) === "wide" })),
    rolled,
  )
  const counts = { wide: 0, multiplyAdd: 0, logic: 0, other: 0 }
  instructions.forEach(({ name }, i) => {
    counts[pipeOf(name)] += weights[i]!
  })
  return counts
}

function pipeOf(name: string): keyof Counts {
  if (/^IMAD\.(WIDE|HI)/.test(name)) return "wide"
  if (/^(IMAD|IDP|HFMA2|FFMA|FMUL)/.test(name)) return "multiplyAdd"
  return /^(IADD|VIADD|LOP3|SHF|LEA|ISETP|SEL|PRMT|MOV|P2R|R2P|PLOP3|CS2R|IABS|VOTE)/.test(name) ? "logic" : "other"
}
