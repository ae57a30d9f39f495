/** The search program as OpenCL C: the kernels of `device-program.ts`. */
import { WIDTH } from "../../pow/constants.ts"
import { HITS } from "../device-program.ts"
import { ROW } from "../kernel.ts"
import { LimbOps } from "../limbs/limb-ops.ts"
import type { Limbs, Word } from "../limbs/limb-text.ts"
import { permutation } from "../permutation.ts"
import { phasesOf } from "../phases.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { OpenClProgram, OpenClText, PRELUDE } from "./opencl-text.ts"

export interface OpenClOptions {
  /** Whether the hash contains every round once, so that it fits an instruction cache. */
  readonly rolled?: boolean | undefined
}

const ELEMENTS = Array.from({ length: WIDTH }, (_, i) => i)
const STATE = ELEMENTS.map(i => `s${i}`)
const STATE_PARAMETERS = STATE.map(s => `ulong ${s}`).join(", ")

const HELPERS = `
static inline ulong first_bytes(ulong x) {
  x = ((x & 0x00ff00ff00ff00ffUL) << 8) | ((x >> 8) & 0x00ff00ff00ff00ffUL);
  x = ((x & 0x0000ffff0000ffffUL) << 16) | ((x >> 16) & 0x0000ffff0000ffffUL);
  return (x << 32) | (x >> 32);
}
static inline void judge(ulong element, ulong top, __global uint *hits, uint index) {
  if (first_bytes(canonical(element)) > top) return;
  uint place = atomic_inc(hits);
  if (place < ${HITS}) hits[1 + place] = index;
}
`

/** Renders the program. @returns its source */
export function renderOpenCl({ rolled = false }: OpenClOptions = {}): string {
  const program = new OpenClProgram()
  const kernel = (name: string, parameters: readonly string[], body: (text: OpenClText, ops: LimbOps) => void) => {
    const text = new OpenClText(program)
    body(text, new LimbOps(text, "carries"))
    return text.body(`${name === "search" ? "SEARCH " : ""}__kernel void ${name}(${parameters.join(", ")})`)
  }
  const hash = renderHash(program, rolled)
  const state = (text: OpenClText) => STATE.map(name => text.unpack(name))
  const judge = (text: OpenClText, afterFirstRound: readonly Limbs[], index: Word) => {
    text.lines.push(`judge(${hash}(${text.array(afterFirstRound)}), top, hits, ${index});`)
  }
  const eachIndex = (text: OpenClText, count: string, body: (index: Word) => void) => {
    const index = program.name("index")
    text.lines.push(`for (uint ${index} = get_global_id(0); ${index} < ${count}; ${index} += get_global_size(0)) {`)
    body(index)
    text.lines.push("}")
  }
  const kernels = [
    kernel("permute", [STATE_PARAMETERS, "__global ulong *out"], (text, ops) =>
      store(text, permutation(ops, state(text)), i => `out[${i}]`),
    ),
    kernel("columns", [STATE_PARAMETERS, "__global ulong *out"], (text, ops) =>
      eachIndex(text, `${ROW}`, index =>
        store(text, columnPart(ops, plane(ops, state(text)), [index, "0"]), i => `out[${i * ROW} + ${index}]`),
      ),
    ),
    kernel("rows", [STATE_PARAMETERS, "uint first, uint count, __global ulong *out"], (text, ops) =>
      eachIndex(text, "count", index => {
        const t0 = text.add("first", index)
        store(text, rowPart(ops, plane(ops, state(text)), [t0, "0"]), i => `out[${index} * ${WIDTH} + ${i}]`)
      }),
    ),
    kernel(
      "search",
      ["__global const ulong *rows, __global const ulong *columns, uint count, ulong top, __global uint *hits"],
      (text, ops) =>
        eachIndex(text, `count * ${ROW}`, index => {
          const load = (place: (i: number) => string) => ELEMENTS.map(i => text.unpack(text.letPair(place(i))))
          const row = load(i => `rows[(${index} / ${ROW}) * ${WIDTH} + ${i}]`)
          const column = load(i => `columns[${i * ROW} + ${index} % ${ROW}]`)
          judge(text, crossing(ops, row, column), index)
        }),
    ),
    kernel("range", [STATE_PARAMETERS, "uint first, uint count, ulong top, __global uint *hits"], (text, ops) =>
      eachIndex(text, "count", index => {
        const limb = text.let(`(uint)(first_bytes((ulong)(first + ${index})) >> 32)`)
        const elements = state(text)
        const last = ops.reduce(ops.add(ops.widen(elements[7]!), ops.widen([limb, "0"])))
        judge(text, firstRound(ops, elements.with(7, last)), index)
      }),
    ),
  ]
  return [PRELUDE, HELPERS, ...program.declarations, ...kernels].join("\n")
}

/**
 * Renders a function that computes the first element of the hash from the state after the first round. @returns its
 * name
 */
function renderHash(program: OpenClProgram, rolled: boolean): string {
  const text = new OpenClText(program)
  const ops = new LimbOps(text, "carries")
  const state = text.elements("s", WIDTH)
  const [first] = rolled ? ops.repeatPhases(phasesOf(hashElement, WIDTH), state) : [hashElement(ops, state)]
  text.lines.push(`return pair(${first!.join(", ")});`)
  program.declarations.push(text.body("static OUTLINE ulong hash_element(const uint *s)"))
  return "hash_element"
}

/** Stores elements in canonical form. @param place the destination of element i */
function store(text: OpenClText, elements: readonly Limbs[], place: (i: number) => string): void {
  elements.forEach((x, i) => {
    text.lines.push(`${place(i)} = canonical(${text.pack(...x)});`)
  })
}
