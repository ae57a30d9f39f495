/**
 * Compares every operation of the vocabulary, as a renderer implements it, with the interpreter, on edge values and
 * random values. A `TestRenderTarget` runs programs for one renderer.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Element, interpreter } from "../../src/kernel/interpreter.ts"
import type { Ops, Step } from "../../src/kernel/ops.ts"
import { mod, P } from "../../src/pow/field.ts"

/** A function over the vocabulary, from elements to elements. */
export type Program = <V, W>(ops: Ops<V, W>, inputs: readonly V[]) => V[]

/** A render target, with the means to run what is rendered for it. */
export interface TestRenderTarget {
  /**
   * Renders a program. @returns a function that runs it on `inputs` words, 0 … 2^64 − 1, and returns its output words
   */
  compile(program: Program, inputs: number): Promise<(words: readonly bigint[]) => bigint[]>
  /**
   * Maximum error for edge values, in units of 1 and of 2^32, of a renderer that drops rare carries; 0 if it is exact.
   * Random values must give exact results.
   */
  readonly droppedCarries: number
}

const EDGES = [0n, 1n, 2n, P - 1n, P, P + 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n]
const CONSTANTS = [0n, 1n, 2n, P - 1n, 2n ** 32n - 1n, 2n ** 32n, 0x9e3779b97f4a7c15n]

const addEntries: Step = {
  apply: (ops, state, constants) =>
    state.map((x, i) => ops.reduce(ops.addConstant(ops.add(ops.widen(x), ops.widen(state[0]!)), constants[i]!))),
}

const stepLinear: Step = {
  apply: (ops, [u, w], [c]) => {
    const sum = ops.addConstant(ops.widen(w!), c!)
    return [ops.reduce(ops.add(sum, ops.product(u!, u!))), ops.reduceLinear(ops.multiplyAdd(sum, w!, CONSTANTS[6]!))]
  },
  linearFrom: 1,
}

interface Case {
  readonly inputs: number
  readonly program: Program
  /** Whether a product amplifies an earlier dropped carry. Edge values are then tested on exact targets only. */
  readonly multipliesResults?: boolean
}

const PROGRAMS: Readonly<Record<string, Case>> = {
  "a square": { inputs: 1, program: (ops, [a]) => [ops.square(a!)] },
  "a product": { inputs: 2, program: (ops, [a, b]) => [ops.multiply(a!, b!)] },
  "a reduced product": { inputs: 2, program: (ops, [a, b]) => [ops.reduce(ops.product(a!, b!))] },
  "a sum of two elements": { inputs: 2, program: (ops, [a, b]) => [ops.reduce(ops.add(ops.widen(a!), ops.widen(b!)))] },
  "a product plus a doubled product": {
    inputs: 3,
    program: (ops, [a, b, c]) => [ops.reduce(ops.add(ops.product(a!, b!), ops.double(ops.product(b!, c!))))],
  },
  "addition of constants": {
    inputs: 1,
    program: (ops, [a]) => CONSTANTS.map(c => ops.reduce(ops.addConstant(ops.widen(a!), c))),
  },
  "multiplication by constants, added to a sum": {
    inputs: 2,
    program: (ops, [a, b]) => CONSTANTS.map(c => ops.reduce(ops.multiplyAdd(ops.widen(a!), b!, c))),
  },
  "sums that begin empty": {
    inputs: 1,
    program: (ops, [a]) => [
      ops.reduce(ops.multiplyAdd(ops.addConstant(ops.zero(), CONSTANTS[6]!), a!, CONSTANTS[3]!)),
      ops.reduce(ops.add(ops.zero(), ops.product(a!, a!))),
    ],
  },
  "a settled sum added twice": {
    inputs: 2,
    program: (ops, [a, b]) => {
      const settled = ops.settle(ops.add(ops.product(a!, b!), ops.widen(a!)))
      return [ops.reduce(ops.multiplyAdd(settled, a!, CONSTANTS[6]!)), ops.reduce(ops.add(settled, settled))]
    },
  },
  "a long sum": {
    inputs: 3,
    program: (ops, [a, b, c]) => {
      const terms = [ops.product(a!, b!), ops.product(b!, c!), ops.widen(c!)]
      let sum = terms.reduce((x, y) => ops.add(x, y))
      for (let i = 0; i < 5; i++) sum = ops.add(ops.double(sum), terms[i % 3]!)
      return [ops.reduce(sum)]
    },
  },
  "linear elements, added, multiplied by constants and squared": {
    inputs: 2,
    multipliesResults: true,
    program: (ops, [a, b]) => {
      const linear = CONSTANTS.map(c => ops.reduceLinear(ops.multiplyAdd(ops.multiplyAdd(ops.zero(), a!, c), b!, 7n)))
      const sum = linear.reduce((s, x) => ops.add(s, ops.widen(x)), ops.zero())
      return [
        ops.square(linear[6]!),
        ops.reduce(sum),
        ops.reduceLinear(ops.multiplyAdd(sum, linear[3]!, CONSTANTS[6]!)),
      ]
    },
  },
  "a product plus a constant": {
    inputs: 2,
    program: (ops, [a, b]) => CONSTANTS.map(c => ops.reduce(ops.addConstant(ops.product(a!, b!), c))),
  },
  "a repeated step over linear elements": {
    inputs: 2,
    multipliesResults: true,
    program: (ops, state) => ops.repeat(stepLinear, [[3n], [P - 3n], [CONSTANTS[6]!]], state),
  },
  "a repeated step": {
    inputs: 2,
    program: (ops, state) =>
      ops.repeat(addEntries, [CONSTANTS.slice(0, 2), CONSTANTS.slice(5, 7), [3n, P - 3n]], state),
  },
}

export function opsSuite(name: string, renderTarget: TestRenderTarget): void {
  describe(`operations of ${name}`, () => {
    for (const [title, { inputs, program, multipliesResults }] of Object.entries(PROGRAMS)) {
      test(title, async () => {
        const run = await renderTarget.compile(program, inputs)
        const expected = (words: readonly bigint[]) =>
          program(
            interpreter,
            words.map(w => new Element(mod(w))),
          ).map(x => x.value)
        const edges = multipliesResults && renderTarget.droppedCarries > 0 ? [] : combinations(EDGES, inputs)
        for (const words of edges) {
          const results = expected(words)
          run(words).forEach((word, i) => {
            expect(carriesBetween(word, results[i]!)).toBeLessThanOrEqual(renderTarget.droppedCarries)
          })
        }
        const word = fc.noBias(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        fc.assert(
          fc.property(fc.array(word, { minLength: inputs, maxLength: inputs }), words => {
            expect(run(words).map(mod)).toEqual(expected(words))
          }),
          { seed: 20261123, numRuns: 200 },
        )
      })
    }
  })
}

/** Returns the smallest n with a ≡ b + i + j · 2^32 for some |i|, |j| ≤ n if n < 1000, otherwise Infinity. */
function carriesBetween(a: bigint, b: bigint): number {
  const difference = mod(a - b)
  const signed = difference > P / 2n ? difference - P : difference
  const j = (signed + 2n ** 31n) >> 32n
  const n = Math.max(Math.abs(Number(signed - j * 2n ** 32n)), Math.abs(Number(j)))
  return n < 1000 ? n : Number.POSITIVE_INFINITY
}

function combinations(values: readonly bigint[], length: number): bigint[][] {
  if (length === 0) return [[]]
  return combinations(values, length - 1).flatMap(rest => values.map(value => [value, ...rest]))
}
