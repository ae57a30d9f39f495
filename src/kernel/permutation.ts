/**
 * The Poseidon2 permutation over the vocabulary of `ops.ts`, arranged so that little is reduced and no constant costs
 * an operation of its own.
 *
 * Between steps a state always includes the constants that its next S-box needs: `M_E` and the constants of the round
 * after are one sum, reduced once.
 */
import {
  HALF_EXTERNAL_ROUNDS,
  INITIAL_EXTERNAL,
  INTERNAL,
  INTERNAL_DIAGONAL,
  INTERNAL_ROUNDS,
  TERMINAL_EXTERNAL,
  WIDTH,
} from "../pow/constants.ts"
import { add, mod, mul } from "../pow/field.ts"
import type { Constant, ConstantRows, Ops, Step } from "./ops.ts"

/** Internal rounds taken together (see `internalBatch`), the one choice that a target makes in this program. */
export interface Plan {
  /** 1 … 22; a last, shorter batch takes what is left. */
  readonly internalBatch: number
}

/** The whole permutation. @param state 12 elements */
export function permutation<V, W>(ops: Ops<V, W>, plan: Plan, state: readonly V[]): V[] {
  let s = firstLayer(ops, state)
  s = ops.repeat(externalRound, rowsToInternal(0), s)
  s = internalRounds(ops, plan, s)
  return ops.repeat(externalRound, [...TERMINAL_EXTERNAL.slice(1), ZEROS], s)
}

/** The external layer before the first round, with the first round's constants. */
export const firstLayer = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] =>
  ops.repeat(layer, [INITIAL_EXTERNAL[0]!], state)

/** `M_E`, and constants. */
const layer: Step = (ops, state, constants) => {
  const sums = externalLayer(
    ops,
    state.map(x => ops.widen(x)),
  )
  return sums.map((sum, i) => ops.reduce(ops.addConstant(sum, constants[i]!)))
}

/** x^7, not reduced: x^2, x^3 = x^2 · x, x^4 = x^2 · x^2, x^3 · x^4. */
export function sbox<V, W>(ops: Ops<V, W>, x: V): W {
  const x2 = ops.square(x)
  return ops.product(ops.multiply(x2, x), ops.square(x2))
}

/** S-box of every element, `M_E`, and the next round's constants. */
export const externalRound: Step = (ops, state, constants) => {
  const sums = externalLayer(
    ops,
    state.map(x => sbox(ops, x)),
  )
  return sums.map((sum, i) => ops.reduce(ops.addConstant(sum, constants[i]!)))
}

/** `M_E`: M4 on each run of four, then every element gains the sum of its column. 53 additions. */
export function externalLayer<V, W>(ops: Ops<V, W>, sums: readonly W[]): W[] {
  const runs = [0, 4, 8].map(first => multiplyM4(ops, sums.slice(first, first + 4)))
  const columns = [0, 1, 2, 3].map(c => ops.add(ops.add(runs[0]![c]!, runs[1]![c]!), runs[2]![c]!))
  return runs.flatMap(run => run.map((sum, c) => ops.add(sum, columns[c]!)))
}

/** M4 = circ(2, 3, 1, 1) in nine additions and two doublings. */
function multiplyM4<V, W>(ops: Ops<V, W>, [a, b, c, d]: readonly W[]): W[] {
  const ab = ops.add(a!, b!)
  const cd = ops.add(c!, d!)
  const all = ops.add(ab, cd)
  const allB = ops.add(all, b!)
  const allD = ops.add(all, d!)
  return [ops.add(allB, ab), ops.add(allB, ops.double(c!)), ops.add(allD, cd), ops.add(allD, ops.double(a!))]
}

/** Row 0 of `M_E`: 2T0 + 3T1 + T2 + T3 with T_c the column's sum, its first run counted twice. */
export function externalLayerFirst<V, W>(ops: Ops<V, W>, sums: readonly W[]): W {
  const [t0, t1, t2, t3] = [0, 1, 2, 3].map(c => {
    const first = sums[c]!
    return ops.add(ops.add(ops.double(first), sums[c + 4]!), sums[c + 8]!)
  })
  const once = ops.add(ops.add(t0!, t1!), ops.add(t2!, t3!))
  return ops.add(ops.add(once, t0!), ops.double(t1!))
}

/** Constants of the external rounds `from` … 3 of the first half, each row those of the round after. */
export const rowsToInternal = (from: number): ConstantRows => [
  ...INITIAL_EXTERNAL.slice(from + 1, HALF_EXTERNAL_ROUNDS),
  INTERNAL_ENTRY,
]

/** All internal rounds, from a state with `INTERNAL_ENTRY` added to one with the first terminal round's constants. */
export function internalRounds<V, W>(ops: Ops<V, W>, plan: Plan, state: readonly V[]): V[] {
  const k = plan.internalBatch
  const whole = INTERNAL_ROUNDS - (INTERNAL_ROUNDS % k)
  const batches = Array.from({ length: whole / k }, (_, b) => KAPPA.slice(k * b, k * b + k))
  const s = ops.repeat(internalBatch(k), batches, state)
  const rest = KAPPA.slice(whole)
  return rest.length === 0 ? s : ops.repeat(internalBatch(rest.length), [rest], s)
}

/**
 * k internal rounds at once. With u_j the S-box's input in round j, y_j = u_j^7, w_i (i = 1 … 11) the other elements at
 * the start, D the diagonal, and S_j the sum of all elements after the S-box:
 *
 *     W_j = Σ_i D_i^j w_i + Σ_{m<j} σ_{j−1−m} S_m        σ_n = Σ_{i≥1} D_i^n
 *     S_j = W_j + y_j
 *     u_{j+1} = W_j + (1 + D_0) y_j
 *     w_i ← D_i^k w_i + Σ_{m<k} D_i^{k−1−m} S_m
 *
 * so that each w_i is reduced once a batch instead of once a round. `constants` are the batch's kappas.
 */
export const internalBatch = (k: number): Step => BATCHES[k - 1]!

const BATCHES: readonly Step[] = Array.from({ length: INTERNAL_ROUNDS }, (_, i) => batchStep(i + 1))

function batchStep(k: number): Step {
  return <V, W>(ops: Ops<V, W>, [u, ...w]: readonly V[], kappa: readonly Constant[]) =>
    finishBatch(ops, k, u!, w, partialSums(ops, w, kappa))
}

/** Σ_i D_i^j w_i + κ_j for each round j of the batch. */
function partialSums<V, W>(ops: Ops<V, W>, w: readonly V[], kappa: readonly Constant[]): W[] {
  return ops.fold(
    (sums, wi, powers) =>
      sums.map((sum, j) => (j === 0 ? ops.add(sum, ops.widen(wi)) : ops.multiplyAdd(sum, wi, powers[j]!))),
    W_POWERS.map(powers => powers.slice(0, kappa.length)),
    kappa.map(k => ops.addConstant(ops.zero(), k)),
    w,
  )
}

function finishBatch<V, W>(ops: Ops<V, W>, k: number, first: V, w: readonly V[], partial: readonly W[]): V[] {
  const earlier: V[] = []
  let u = first
  let last = ops.zero()
  for (let j = 0; j < k; j++) {
    const others = earlier.reduce<W>((sum, s, m) => ops.multiplyAdd(sum, s, SIGMA[j - 1 - m]!), partial[j]!)
    const y = ops.reduce(sbox(ops, u))
    u = ops.reduce(ops.multiplyAdd(others, y, 1n + INTERNAL_DIAGONAL[0]!))
    last = ops.add(others, ops.widen(y))
    if (j < k - 1) earlier.push(ops.reduce(last))
  }
  const settled = ops.settle(last)
  const rows = W_POWERS.map(powers => [powers[k]!, ...earlier.map((_, m) => powers[k - 1 - m]!)])
  const updated = ops.map(
    (wi, powers) =>
      ops.reduce(
        earlier.reduce<W>(
          (sum, s, m) => ops.multiplyAdd(sum, s, powers[m + 1]!),
          ops.multiplyAdd(settled, wi, powers[0]!),
        ),
      ),
    rows,
    w,
  )
  return [u, ...updated]
}

/** D_i^n for i = 1 … 11, `[i − 1][n]`, n = 0 … 22. */
const W_POWERS: readonly (readonly bigint[])[] = INTERNAL_DIAGONAL.slice(1).map(d => powersOf(d, INTERNAL_ROUNDS))

/** σ_n = Σ_{i≥1} D_i^n. */
const SIGMA: readonly bigint[] = Array.from({ length: INTERNAL_ROUNDS }, (_, n) =>
  W_POWERS.reduce((sum, powers) => add(sum, powers[n]!), 0n),
)

function powersOf(base: bigint, highest: number): bigint[] {
  const powers = [1n]
  while (powers.length <= highest) powers.push(mul(powers.at(-1)!, base))
  return powers
}

/*
 * Constants of the internal rounds. What a step holds of element i ≥ 1 is s_i + o_i, o_i an offset known here. Adding
 * κ_j = c_{j+1} − Σ_i o_i to W_j makes u_{j+1} come out with its round constant c_{j+1} in it and S_j shifted by
 * c_{j+1}, hence o_i ← D_i o_i + c_{j+1}. With c_22 the terminal round's constant for element 0, and the o_i at the
 * start chosen so that they end as the terminal round's constants for the others, no constant is left to add.
 */

/** c_1 … c_22. */
const AFTER_ROUND: readonly bigint[] = [...INTERNAL.slice(1), TERMINAL_EXTERNAL[0]![0]!]

/** o_i at the start: the recurrence run backwards from the terminal round's constants. */
const ENTRY_OFFSETS: readonly bigint[] = INTERNAL_DIAGONAL.slice(1).map((d, i) => {
  const back = inverse(d)
  return AFTER_ROUND.toReversed().reduce((offset, c) => mul(mod(offset - c), back), TERMINAL_EXTERNAL[0]![i + 1]!)
})

/** What the state entering the internal rounds has added to it. */
export const INTERNAL_ENTRY: readonly bigint[] = [INTERNAL[0]!, ...ENTRY_OFFSETS]

const KAPPA: readonly bigint[] = kappas()

function kappas(): bigint[] {
  let offsets = ENTRY_OFFSETS
  return AFTER_ROUND.map(c => {
    const kappa = mod(c - offsets.reduce(add))
    offsets = offsets.map((offset, i) => add(mul(INTERNAL_DIAGONAL[i + 1]!, offset), c))
    return kappa
  })
}

/** x^(p−2), by squaring. */
function inverse(x: bigint): bigint {
  let result = 1n
  for (let e = 2n ** 64n - 2n ** 32n - 1n, power = x; e > 0n; e >>= 1n, power = mul(power, power))
    if (e & 1n) result = mul(result, power)
  return result
}

const ZEROS: readonly bigint[] = new Array<bigint>(WIDTH).fill(0n)
