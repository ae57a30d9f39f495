/** The search program as a PTX module: the kernels of `device-program.ts`. */

import { WIDTH } from "../../pow/constants.ts"
import { P } from "../../pow/field.ts"
import { HITS } from "../device-program.ts"
import { ROW } from "../kernel.ts"
import type { LimbFormName } from "../limbs/limb-form.ts"
import { LimbOps } from "../limbs/limb-ops.ts"
import type { Limbs } from "../limbs/limb-text.ts"
import { permutation } from "../permutation.ts"
import { phasesOf } from "../phases.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { PtxModule, PtxText } from "./ptx-text.ts"

export interface PtxOptions {
  /** Maximum threads of a group. */
  readonly groupSize: number
  /** Maximum registers of a thread; undefined leaves the choice to the compiler. */
  readonly registers?: number | undefined
  /** The form of the arithmetic, one whose carries are used in order; `pairs` by default. */
  readonly form?: PtxForm | undefined
  /** Whether the hash contains every round once, so that it fits an instruction cache. */
  readonly rolled?: boolean | undefined
}

export type PtxForm = Exclude<LimbFormName, "carries">

const ELEMENTS = Array.from({ length: WIDTH }, (_, i) => i)
const STATE = ELEMENTS.map(i => `.b64 s${i}`)
const ROW_BITS = Math.log2(ROW)

/** Renders the module. @returns its text */
export function renderPtx({ groupSize, registers, form = "pairs", rolled }: PtxOptions): string {
  const module = new PtxModule()
  const maxRegisters = registers === undefined ? "" : ` .maxnreg ${registers}`
  const kernel = (name: string, parameters: readonly string[], body: (k: KernelText) => void) => {
    const text = new PtxText(module)
    body(new KernelText(text, new LimbOps(text, form)))
    module.kernel(name, parameters, `.maxntid ${groupSize}, 1, 1${maxRegisters}`, text)
  }
  const hash = (ops: LimbOps, state: readonly Limbs[]): Limbs =>
    rolled ? ops.repeatPhases(phasesOf(hashElement, WIDTH), state)[0]! : hashElement(ops, state)
  kernel("permute", [...STATE, ".b64 out"], k => k.store(permutation(k.ops, k.state()), k.pointer("out"), 8))
  kernel("columns", [...STATE, ".b64 out"], k =>
    k.eachIndex(String(ROW), index => {
      const part = columnPart(k.ops, plane(k.ops, k.state()), [index, "0"])
      k.store(part, k.element("out", index, 8), 8 * ROW)
    }),
  )
  kernel("rows", [...STATE, ".b32 first", ".b32 count", ".b64 out"], k =>
    k.eachIndex(k.parameter("count"), index => {
      const t0 = k.text.let("add.u32", k.parameter("first"), index)
      k.store(rowPart(k.ops, plane(k.ops, k.state()), [t0, "0"]), k.element("out", index, 8 * WIDTH), 8)
    }),
  )
  kernel("search", [".b64 rows", ".b64 columns", ".b32 count", ".b64 top", ".b64 hits"], k => {
    const nonces = k.text.let("shl.b32", k.parameter("count"), ROW_BITS)
    k.eachIndex(nonces, index => {
      const row = k.load(k.element("rows", k.text.let("shr.u32", index, ROW_BITS), 8 * WIDTH), 8)
      const column = k.load(k.element("columns", k.text.let("and.b32", index, ROW - 1), 8), 8 * ROW)
      k.judge(hash(k.ops, crossing(k.ops, row, column)), index)
    })
  })
  kernel("range", [...STATE, ".b32 first", ".b32 count", ".b64 top", ".b64 hits"], k =>
    k.eachIndex(k.parameter("count"), index => {
      const state = k.state()
      const limb = swapped(k.text, k.text.let("add.u32", k.parameter("first"), index))
      const last = k.ops.reduce(k.ops.add(k.ops.widen(state[7]!), k.ops.widen([limb, "0"])))
      k.judge(hash(k.ops, firstRound(k.ops, state.with(7, last))), index)
    }),
  )
  return module.toString()
}

/** Writes what the kernels have in common. */
class KernelText {
  constructor(
    readonly text: PtxText,
    readonly ops: LimbOps,
  ) {}

  /** Loads a 32-bit parameter. */
  parameter(name: string): string {
    return this.text.let("ld.param.b32", `[${name}]`)
  }

  /** Loads a 64-bit parameter. */
  pointer(name: string): string {
    return this.text.letPair("ld.param.b64", `[${name}]`)
  }

  /** Computes the address of an entry of `bytes` bytes in the array that a parameter points to. */
  element(name: string, index: string, bytes: number): string {
    return this.text.letPair("mad.wide.u32", index, bytes, this.pointer(name))
  }

  /** Loads the 12 elements of the state from the parameters. */
  state(): Limbs[] {
    return ELEMENTS.map(i => this.text.unpack(this.pointer(`s${i}`)))
  }

  /** Loads 12 elements that are `stride` bytes apart. */
  load(address: string, stride: number): Limbs[] {
    return ELEMENTS.map(i => this.text.unpack(this.text.letPair("ld.global.b64", `[${address}+${i * stride}]`)))
  }

  /** Stores elements in canonical form, `stride` bytes apart. */
  store(elements: readonly Limbs[], address: string, stride: number): void {
    elements.forEach((x, i) => {
      this.text.emit(`st.global.b64 [${address}+${i * stride}], ${this.text.pack(...this.#canonical(x))}`)
    })
  }

  /** Writes a grid-stride loop over the indexes 0 … count − 1. */
  eachIndex(count: string, body: (index: string) => void): void {
    const t = this.text
    const [size, group, thread, groups] = ["ntid", "ctaid", "tid", "nctaid"].map(name => t.let("mov.u32", `%${name}.x`))
    const index = t.let("mad.lo.u32", group!, size!, thread!)
    const step = t.let("mul.lo.u32", groups!, size!)
    const [start, end] = [t.label(), t.label()]
    t.place(start)
    const done = t.predicate()
    t.emit(`setp.ge.u32 ${done}, ${index}, ${count}`)
    t.emit(`@${done} bra ${end}`)
    body(index)
    t.emit(`add.u32 ${index}, ${index}, ${step}`)
    t.emit(`bra ${start}`)
    t.place(end)
  }

  /** Reports the nonce at `index` if the first eight bytes of its hash, big-endian, do not exceed `top`. */
  judge(element: Limbs, index: string): void {
    const t = this.text
    const [low, high] = this.#canonical(element)
    const first = t.pack(swapped(t, high), swapped(t, low))
    const [above, full] = [t.predicate(), t.predicate()]
    const end = t.label()
    t.emit(`setp.gt.u64 ${above}, ${first}, ${this.pointer("top")}`)
    t.emit(`@${above} bra ${end}`)
    const hits = this.pointer("hits")
    const place = t.let("atom.global.add.u32", `[${hits}]`, 1)
    t.emit(`setp.ge.u32 ${full}, ${place}, ${HITS}`)
    t.emit(`@${full} bra ${end}`)
    t.emit(`st.global.b32 [${t.letPair("mad.wide.u32", place, 4, hits)}+4], ${index}`)
    t.place(end)
  }

  /** Computes x mod p. */
  #canonical(x: Limbs): Limbs {
    const t = this.text
    const pair = t.pack(...x)
    const p = `0x${P.toString(16)}`
    const below = t.predicate()
    t.emit(`setp.lt.u64 ${below}, ${pair}, ${p}`)
    return t.unpack(t.letPair("selp.b64", pair, t.letPair("sub.u64", pair, p), below))
  }
}

/** Reverses the bytes of a 32-bit word. */
const swapped = (t: PtxText, word: string): string => t.let("prmt.b32", word, 0, "0x0123")
