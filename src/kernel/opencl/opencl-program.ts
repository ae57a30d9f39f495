/** The search program as OpenCL C: the kernels of `device-program.ts`. */
import { WIDTH } from "../../pow/constants.ts"
import { HITS } from "../device-program.ts"
import { ROW } from "../kernel.ts"
import { permutation } from "../permutation.ts"
import { columnPart, crossing, firstRound, hashElement, plane, rowPart } from "../search.ts"
import { type Name, OpenClOps, OpenClProgram, OpenClText, PRELUDE } from "./opencl-ops.ts"

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
export function renderOpenCl(): string {
  const program = new OpenClProgram()
  const kernel = (name: string, parameters: readonly string[], body: (text: OpenClText, ops: OpenClOps) => void) => {
    const text = new OpenClText(program)
    body(text, new OpenClOps(text))
    return text.body(`__kernel void ${name}(${parameters.join(", ")})`)
  }
  const hash = renderHash(program)
  const judge = (text: OpenClText, afterFirstRound: readonly Name[], index: Name) => {
    const state = text.array(afterFirstRound)
    text.lines.push(`judge(${hash}(${state}), top, hits, ${index});`)
  }
  const kernels = [
    kernel("permute", [STATE_PARAMETERS, "__global ulong *out"], (text, ops) =>
      store(text, permutation(ops, STATE), i => `out[${i}]`),
    ),
    kernel("columns", [STATE_PARAMETERS, "__global ulong *out"], (text, ops) =>
      eachIndex(text, `${ROW}`, index =>
        store(text, columnPart(ops, plane(ops, STATE), text.let(index)), i => `out[${i * ROW} + ${index}]`),
      ),
    ),
    kernel("rows", [STATE_PARAMETERS, "uint first, uint count, __global ulong *out"], (text, ops) =>
      eachIndex(text, "count", index => {
        const t0 = text.let(`(ulong)first + ${index}`)
        store(text, rowPart(ops, plane(ops, STATE), t0), i => `out[${index} * ${WIDTH} + ${i}]`)
      }),
    ),
    kernel(
      "search",
      ["__global const ulong *rows, __global const ulong *columns, uint count, ulong top, __global uint *hits"],
      (text, ops) =>
        eachIndex(text, `count * ${ROW}`, index => {
          const row = ELEMENTS.map(i => text.let(`rows[(${index} / ${ROW}) * ${WIDTH} + ${i}]`))
          const column = ELEMENTS.map(i => text.let(`columns[${i * ROW} + ${index} % ${ROW}]`))
          judge(text, crossing(ops, row, column), index)
        }),
    ),
    kernel("range", [STATE_PARAMETERS, "uint first, uint count, ulong top, __global uint *hits"], (text, ops) =>
      eachIndex(text, "count", index => {
        const limb = text.let(`first_bytes((ulong)(first + ${index})) >> 32`)
        const last = ops.reduce(ops.add(ops.widen(STATE[7]!), ops.widen(limb)))
        judge(text, firstRound(ops, STATE.with(7, last)), index)
      }),
    ),
  ]
  return [PRELUDE, HELPERS, ...program.declarations, ...kernels].join("\n")
}

/**
 * Renders a function that computes the first element of the hash from the state after the first round. @returns its
 * name
 */
function renderHash(program: OpenClProgram): string {
  const text = new OpenClText(program)
  const state = ELEMENTS.map(i => text.let(`s[${i}]`))
  text.lines.push(`return ${hashElement(new OpenClOps(text), state)};`)
  program.declarations.push(text.body("static OUTLINE ulong hash_element(const ulong *s)"))
  return "hash_element"
}

/** Writes a grid-stride loop over the indexes 0 … count − 1. */
function eachIndex(text: OpenClText, count: string, body: (index: Name) => void): void {
  const index = text.program.name("index")
  text.lines.push(`for (uint ${index} = get_global_id(0); ${index} < ${count}; ${index} += get_global_size(0)) {`)
  body(index)
  text.lines.push("}")
}

/** Stores elements in canonical form. @param place the destination of element i */
function store(text: OpenClText, elements: readonly Name[], place: (i: number) => string): void {
  elements.forEach((x, i) => {
    text.lines.push(`${place(i)} = canonical(${x});`)
  })
}
