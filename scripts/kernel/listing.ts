/** The machine code of a rendered x86-64 kernel, by label. */
import { format, type Operand } from "../../src/kernel/x64/assembler/operands.ts"
import { type RenderedKernel, type RenderTarget, renderKernel } from "../../src/kernel/x64/program/render.ts"

interface Listed {
  /** Bytes from the code's start. */
  readonly at: number
  readonly text: string
  readonly isVector: boolean
  readonly loads: boolean
  readonly stores: boolean
  /** Whether its memory operand is a spill location. */
  readonly isSpill: boolean
}

/** The code from one label to the next. */
export interface Section {
  readonly label: string
  readonly at: number
  bytes: number
  readonly instructions: Listed[]
}

export interface Counts {
  readonly instructions: number
  readonly vector: number
  readonly loads: number
  readonly stores: number
  /** Stores to spill locations, and reads of them. */
  readonly spills: number
  readonly spillReads: number
  readonly bytes: number
}

export interface Listing {
  readonly kernel: RenderedKernel
  readonly sections: readonly Section[]
}

export function listKernel(target: RenderTarget): Listing {
  const sections: Section[] = []
  const pending: ((kernel: RenderedKernel) => void)[] = []
  const kernel = renderKernel(target, {
    label: (at, label) => void sections.push({ label, at, bytes: 0, instructions: [] }),
    instruction: (at, form, operands, options) => {
      const { instructions } = sections.at(-1)!
      const k = operands.findIndex(({ kind }) => kind === "memory")
      const mask = options?.mask ? ` {k${options.mask.n}}` : ""
      pending.push(({ layout }) =>
        instructions.push({
          at,
          text: `${form.mnemonic}${mask} ${operands.map(format).join(", ")}`.trimEnd(),
          isVector: operands.some(operand => operand.kind === "register" && operand.class.endsWith("mm")),
          loads: k >= 0 && form.operands[k]!.read && form.mnemonic !== "lea",
          stores: k >= 0 && form.operands[k]!.write,
          isSpill: k >= 0 && isBetween(operands[k]!, layout.spilledVectors, layout.plane),
        }),
      )
    },
  })
  for (const list of pending) list(kernel)
  sections.forEach((section, i) => {
    section.bytes = (sections[i + 1]?.at ?? kernel.codeBytes) - section.at
  })
  return { kernel, sections }
}

/** Whether an operand is memory of the context at offsets `from` … `to` − 1; rdi points to the context. */
const isBetween = (operand: Operand, from: number, to: number): boolean =>
  operand.kind === "memory" && operand.base?.n === 7 && operand.displacement >= from && operand.displacement < to

export function countSection({ instructions, bytes }: Section): Counts {
  const count = (is: (listed: Listed) => boolean) => instructions.filter(is).length
  return {
    instructions: instructions.length,
    vector: count(({ isVector }) => isVector),
    loads: count(({ loads }) => loads),
    stores: count(({ stores }) => stores),
    spills: count(({ stores, isSpill }) => stores && isSpill),
    spillReads: count(({ loads, isSpill }) => loads && isSpill),
    bytes,
  }
}
