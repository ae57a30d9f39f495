/**
 * The nonce search over the vocabulary of `ops.ts`: from the sponge's state before the nonce's second half to the first
 * element of the hash, in two permutations less what a plane of nonces shares.
 *
 * A plane (see `nonce-plane.ts`) is a base nonce whose second half is moved by t0 · U0 + t1 · U1, chosen so that the
 * first external layer moves only four elements:
 *
 *     x0 + 35 t0    x4 − 35 t0    x1 + 35 t1    x5 − 35 t1
 *
 * The S-boxes of elements 1 and 5 are the column's, those of the others the row's.
 * `M_E` is linear, so the state after the first round is a row's part plus a column's part: twelve additions a nonce in
 * place of a layer and a round.
 */
import { INITIAL_EXTERNAL, TERMINAL_EXTERNAL, WIDTH } from "../pow/constants.ts"
import { mod } from "../pow/field.ts"
import type { Ops, Step } from "./ops.ts"
import { externalLayerFirst, externalRounds, firstLayer, internalRounds, rowsToInternal, sbox } from "./permutation.ts"

/** What one unit of t0 or t1 adds to an element after the first layer. */
export const PLANE_STEP = 35n

/** The elements that t0 moves, up and down. */
const ROW_ELEMENTS = [0, 4] as const

/** The elements that t1 moves, up and down. */
const COLUMN_ELEMENTS = [1, 5] as const

/**
 * What all nonces of a plane share: the inputs of the first round's S-boxes at the base nonce.
 * @param state 12 elements: the sponge before the last absorbing permutation, at the plane's base nonce
 */
export const plane = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] => firstLayer(ops, state)

/**
 * The row's part of the state after the first round, with the second round's constants: as 0^7 = 0, elements of the
 * column's are left out by taking them for 0.
 * @param t0 an element
 */
export function rowPart<V, W>(ops: Ops<V, W>, plane: readonly V[], t0: V): V[] {
  const zero = nothing(ops)
  const inputs = plane.map((x, i) => (isOf(COLUMN_ELEMENTS, i) ? zero : moved(ops, x, ROW_ELEMENTS, i, t0)))
  return externalRounds(ops, [INITIAL_EXTERNAL[1]!], inputs)
}

/** The column's part of the state after the first round. @param t1 an element */
export function columnPart<V, W>(ops: Ops<V, W>, plane: readonly V[], t1: V): V[] {
  const zero = nothing(ops)
  const inputs = plane.map((x, i) => (isOf(COLUMN_ELEMENTS, i) ? moved(ops, x, COLUMN_ELEMENTS, i, t1) : zero))
  return externalRounds(ops, [NO_CONSTANTS], inputs)
}

const isOf = (elements: readonly [number, number], i: number): boolean => elements.includes(i)

/** x + 35 t for the first of a pair of elements, x − 35 t for the second, x for any other. */
function moved<V, W>(ops: Ops<V, W>, x: V, pair: readonly [number, number], element: number, t: V): V {
  if (!isOf(pair, element)) return x
  return ops.reduce(ops.multiplyAdd(ops.widen(x), t, element === pair[0] ? PLANE_STEP : mod(-PLANE_STEP)))
}

const nothing = <V, W>(ops: Ops<V, W>): V => ops.reduce(ops.addConstant(ops.zero(), 0n))

/** The state after the first round of the nonce at a row's and a column's crossing. */
export const crossing = <V, W>(ops: Ops<V, W>, rowPart: readonly V[], columnPart: readonly V[]): V[] =>
  rowPart.map((r, i) => ops.reduce(ops.add(ops.widen(r), ops.widen(columnPart[i]!))))

/**
 * The state after the first round of a nonce that is on no plane.
 * @param state 12 elements: the sponge before the last absorbing permutation, the nonce absorbed
 */
export const firstRound = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] =>
  externalRounds(ops, [INITIAL_EXTERNAL[1]!], firstLayer(ops, state))

/**
 * The hash's first element, from the state after the first round of the last absorbing permutation: the rest of that
 * permutation, and the terminator's down to the one element that the comparison needs.
 */
export function hashElement<V, W>(ops: Ops<V, W>, afterFirstRound: readonly V[]): V {
  let s = externalRounds(ops, rowsToInternal(1), afterFirstRound)
  s = internalRounds(ops, s)
  // The terminator is added where the constants of a next round would be.
  s = externalRounds(ops, [...TERMINAL_EXTERNAL.slice(1), TERMINATOR], s)
  s = firstLayer(ops, s)
  s = externalRounds(ops, rowsToInternal(0), s)
  s = internalRounds(ops, s)
  s = externalRounds(ops, TERMINAL_EXTERNAL.slice(1), s)
  return ops.repeat(lastRound, [[]], s)[0]!
}

/** The last round, down to element 0; the others stay what they were. */
const lastRound: Step = {
  name: "last-round",
  apply(ops, state) {
    const products = state.map(x => sbox(ops, x))
    return [ops.reduce(externalLayerFirst(ops, products)), ...state.slice(1)]
  },
}

const NO_CONSTANTS: readonly bigint[] = new Array<bigint>(WIDTH).fill(0n)

/** The padding that the sponge adds before its last permutation: 1 to elements 0 and 1. */
const TERMINATOR: readonly bigint[] = Array.from({ length: WIDTH }, (_, i) => (i < 2 ? 1n : 0n))
