/**
 * The Poseidon2 permutation over the vocabulary of `ops.ts`, arranged to reduce rarely and to add round constants as
 * part of sums that are computed anyway.
 *
 * Between steps, a state already includes the constants of the next S-box: `M_E` and the next round's constants form
 * one sum, which is reduced once.
 */
import {
  HALF_EXTERNAL_ROUNDS,
  INITIAL_EXTERNAL,
  INTERNAL,
  INTERNAL_DIAGONAL,
  TERMINAL_EXTERNAL,
  WIDTH,
} from "../pow/constants.ts"
import { add, mod, mul } from "../pow/field.ts"
import type { ConstantTable, Ops, Step } from "./ops.ts"

/** Computes the permutation. @param state 12 elements */
export function permutation<V, W>(ops: Ops<V, W>, state: readonly V[]): V[] {
  let s = firstLayer(ops, state)
  s = externalRounds(ops, constantsToInternal(0), s)
  s = internalRounds(ops, s)
  return externalRounds(ops, [...TERMINAL_EXTERNAL.slice(1), ZEROS], s)
}

/** Computes the external layer before the first round and adds the first round's constants. */
export const firstLayer = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] =>
  ops.repeat(layer, [INITIAL_EXTERNAL[0]!], state)

/** `M_E`, then constants. */
const layer: Step = {
  name: "layer",
  apply(ops, state, constants) {
    const sums = externalLayer(
      ops,
      state.map(x => ops.widen(x)),
    )
    return sums.map((sum, i) => ops.reduce(ops.addConstant(sum, constants[i]!)))
  },
}

/** Computes x^7, unreduced, as x^3 · x^4. */
export function sbox<V, W>(ops: Ops<V, W>, x: V): W {
  const x2 = ops.square(x)
  return ops.product(ops.multiply(x2, x), ops.square(x2))
}

/**
 * Computes external rounds: the S-box of every element, `M_E`, then the next round's constants. If products take
 * constants at no cost, M_E⁻¹ times the constants are added before `M_E` instead.
 * @param table the constants to add after each round
 */
export const externalRounds = <V, W>(ops: Ops<V, W>, table: ConstantTable, state: readonly V[]): V[] =>
  ops.productsTakeConstants
    ? ops.repeat(roundWithConstantsFirst, table.map(inverseExternalLayer), state)
    : ops.repeat(roundWithConstantsLast, table, state)

const roundWithConstantsFirst: Step = {
  name: "external-round",
  apply: (ops, state, constants) =>
    externalLayer(
      ops,
      state.map((x, i) => ops.addConstant(sbox(ops, x), constants[i]!)),
    ).map(sum => ops.reduce(sum)),
}

const roundWithConstantsLast: Step = {
  name: "external-round",
  apply: (ops, state, constants) =>
    externalLayer(
      ops,
      state.map(x => sbox(ops, x)),
    ).map((sum, i) => ops.reduce(ops.addConstant(sum, constants[i]!))),
}

/** Computes `M_E`: M4 times each run of four, then adds to each element the sum of its column. 53 additions. */
export function externalLayer<V, W>(ops: Ops<V, W>, sums: readonly W[]): W[] {
  const runs = [0, 4, 8].map(first => multiplyM4(ops, sums.slice(first, first + 4)))
  const columns = [0, 1, 2, 3].map(c => ops.add(ops.add(runs[0]![c]!, runs[1]![c]!), runs[2]![c]!))
  return runs.flatMap(run => run.map((sum, c) => ops.add(sum, columns[c]!)))
}

/** Computes M4 = circ(2, 3, 1, 1) times four sums in nine additions and two doublings. */
function multiplyM4<V, W>(ops: Ops<V, W>, [a, b, c, d]: readonly W[]): W[] {
  const ab = ops.add(a!, b!)
  const cd = ops.add(c!, d!)
  const all = ops.add(ab, cd)
  const allB = ops.add(all, b!)
  const allD = ops.add(all, d!)
  return [ops.add(allB, ab), ops.add(allB, ops.double(c!)), ops.add(allD, cd), ops.add(allD, ops.double(a!))]
}

/**
 * Computes `M_E⁻¹ y`. A column's sum over the runs of `M_E x` is four times that over the runs of `M4 x`, and
 * M4 · (−4, 17, −11, 3) = 35 e0.
 * @param y 12 elements, canonical
 */
function inverseExternalLayer(y: readonly bigint[]): bigint[] {
  const columns = [0, 1, 2, 3].map(c => mul(QUARTER, y[c]! + y[c + 4]! + y[c + 8]!))
  const runs = y.map((value, i) => value - columns[i % 4]!)
  return y.map((_, i) => {
    const [a, b, c, d] = [0, 1, 2, 3].map(n => runs[i - (i % 4) + ((i + n) % 4)]!)
    return mul(ONE_35TH, mod(-4n * a! + 3n * b! - 11n * c! + 17n * d!))
  })
}

/** Computes element 0 of `M_E`: 2T0 + 3T1 + T2 + T3, with T_c the sum of column c, its first run counted twice. */
export function externalLayerFirst<V, W>(ops: Ops<V, W>, sums: readonly W[]): W {
  const [t0, t1, t2, t3] = [0, 1, 2, 3].map(c => {
    const first = sums[c]!
    return ops.add(ops.add(ops.double(first), sums[c + 4]!), sums[c + 8]!)
  })
  const once = ops.add(ops.add(t0!, t1!), ops.add(t2!, t3!))
  return ops.add(ops.add(once, t0!), ops.double(t1!))
}

/**
 * Returns the constants to add after external rounds `from` … 3 of the first half, up to the internal rounds' entry.
 */
export const constantsToInternal = (from: number): ConstantTable => [
  ...INITIAL_EXTERNAL.slice(from + 1, HALF_EXTERNAL_ROUNDS),
  INTERNAL_ENTRY,
]

/**
 * Computes all internal rounds. Assumes that `INTERNAL_ENTRY` is added to the state; the result includes the constants
 * of the first terminal round.
 */
export const internalRounds = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] =>
  ops.repeat(internalRound, KAPPA, state)

/**
 * Let u be the input of the S-box, y = u^7, w_i (i = 1 … 11) the other elements and D the diagonal:
 *
 *     W = Σ w_i        S = W + y
 *     u ← W + (1 + D_0) y
 *     w_i ← D_i w_i + S
 *
 * Variables multiply u only; the w_i are linear elements.
 */
const internalRound: Step = {
  name: "internal-round",
  apply(ops, [u, ...w], [kappa]) {
    const others = w.reduce((sum, wi) => ops.add(sum, ops.widen(wi)), ops.addConstant(ops.zero(), kappa!))
    const y = ops.reduce(sbox(ops, u!))
    const next = ops.reduce(ops.multiplyAdd(others, y, 1n + INTERNAL_DIAGONAL[0]!))
    const sum = ops.settle(ops.add(others, ops.widen(y)))
    return [next, ...w.map((wi, i) => ops.reduceLinear(ops.multiplyAdd(sum, wi, INTERNAL_DIAGONAL[i + 1]!)))]
  },
  isSerial: true,
  linearFrom: 1,
}

/*
 * Constants of the internal rounds. A step holds element i ≥ 1 as s_i + o_i, with an offset o_i that is known at render
 * time. Round j adds κ_j = c_{j+1} − Σ_i o_i to W. The next u then includes its round constant c_{j+1}, and S is
 * shifted by c_{j+1}, so that o_i ← D_i o_i + c_{j+1}. c_22 is the first terminal round's constant for element 0, and
 * the initial o_i are chosen so that the final ones are that round's constants for elements 1 … 11. One addition per
 * round remains.
 */

/** c_1 … c_22. */
const AFTER_ROUND: readonly bigint[] = [...INTERNAL.slice(1), TERMINAL_EXTERNAL[0]![0]!]

/** The initial o_i: the recurrence solved backwards from the first terminal round's constants. */
const ENTRY_OFFSETS: readonly bigint[] = INTERNAL_DIAGONAL.slice(1).map((d, i) => {
  const back = inverse(d)
  return AFTER_ROUND.toReversed().reduce((offset, c) => mul(mod(offset - c), back), TERMINAL_EXTERNAL[0]![i + 1]!)
})

/** The constants that the state must include when it enters the internal rounds. */
export const INTERNAL_ENTRY: readonly bigint[] = [INTERNAL[0]!, ...ENTRY_OFFSETS]

/** κ_j of each internal round, one entry per round. */
const KAPPA: ConstantTable = kappas()

function kappas(): bigint[][] {
  let offsets = ENTRY_OFFSETS
  return AFTER_ROUND.map(c => {
    const kappa = mod(c - offsets.reduce(add))
    offsets = offsets.map((offset, i) => add(mul(INTERNAL_DIAGONAL[i + 1]!, offset), c))
    return [kappa]
  })
}

/** Computes x⁻¹ = x^(p−2). Assumes x ≠ 0, canonical. */
function inverse(x: bigint): bigint {
  let result = 1n
  for (let e = 2n ** 64n - 2n ** 32n - 1n, power = x; e > 0n; e >>= 1n, power = mul(power, power))
    if (e & 1n) result = mul(result, power)
  return result
}

const QUARTER = inverse(4n)
const ONE_35TH = inverse(35n)

const ZEROS: readonly bigint[] = new Array<bigint>(WIDTH).fill(0n)
