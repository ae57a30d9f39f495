/**
 * The nonce search over the vocabulary of `ops.ts`: from the midstate to the first element of the hash. It takes two
 * permutations per nonce, minus the work that the nonces of a plane share.
 *
 * The nonces of a plane (see `nonce-plane.ts`) differ by t0 · U0 + t1 · U1. After the first external layer only four
 * elements depend on t0 or t1:
 *
 *     x0 + 35 t0    x4 − 35 t0    x1 + 35 t1    x5 − 35 t1
 *
 * The S-boxes of elements 1 and 5 depend on the column only, those of elements 0 and 4 on the row only; the other eight
 * are counted with the row. `M_E` is linear, so the state after the first round is the sum of a row part and a column
 * part. Twelve additions per nonce replace a layer and a round.
 */
import { INITIAL_EXTERNAL, TERMINAL_EXTERNAL, WIDTH } from "../pow/constants.ts"
import { mod } from "../pow/field.ts"
import type { Ops, Step } from "./ops.ts"
import {
  constantsToInternal,
  externalLayerFirst,
  externalRounds,
  firstLayer,
  internalRounds,
  sbox,
} from "./permutation.ts"

/** Change of an element after the first layer per step of t0 or t1. */
export const PLANE_STEP = 35n

/** The elements to which t0 is added and from which it is subtracted. */
const ROW_ELEMENTS = [0, 4] as const

/** The elements to which t1 is added and from which it is subtracted. */
const COLUMN_ELEMENTS = [1, 5] as const

/**
 * Computes what all nonces of a plane share: the inputs of the first round's S-boxes for the base nonce.
 * @param state 12 elements: the midstate of the base nonce, from `spongeBeforeLast`
 */
export const plane = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] => firstLayer(ops, state)

/**
 * Computes the row part of the state after the first round, including the second round's constants. Elements that
 * depend on the column are set to 0, as 0^7 = 0.
 * @param t0 an element
 */
export function rowPart<V, W>(ops: Ops<V, W>, plane: readonly V[], t0: V): V[] {
  const zero = nothing(ops)
  const inputs = plane.map((x, i) => (isOf(COLUMN_ELEMENTS, i) ? zero : moved(ops, x, ROW_ELEMENTS, i, t0)))
  return externalRounds(ops, [INITIAL_EXTERNAL[1]!], inputs)
}

/** Computes the column part of the state after the first round. @param t1 an element */
export function columnPart<V, W>(ops: Ops<V, W>, plane: readonly V[], t1: V): V[] {
  const zero = nothing(ops)
  const inputs = plane.map((x, i) => (isOf(COLUMN_ELEMENTS, i) ? moved(ops, x, COLUMN_ELEMENTS, i, t1) : zero))
  return externalRounds(ops, [NO_CONSTANTS], inputs)
}

const isOf = (elements: readonly [number, number], i: number): boolean => elements.includes(i)

/** Computes x + 35 t for the first element of the pair and x − 35 t for the second; returns x for any other. */
function moved<V, W>(ops: Ops<V, W>, x: V, pair: readonly [number, number], element: number, t: V): V {
  if (!isOf(pair, element)) return x
  return ops.reduce(ops.multiplyAdd(ops.widen(x), t, element === pair[0] ? PLANE_STEP : mod(-PLANE_STEP)))
}

const nothing = <V, W>(ops: Ops<V, W>): V => ops.reduce(ops.addConstant(ops.zero(), 0n))

/** Computes the state after the first round for the nonce where a row and a column cross. */
export const crossing = <V, W>(ops: Ops<V, W>, rowPart: readonly V[], columnPart: readonly V[]): V[] =>
  rowPart.map((r, i) => ops.reduce(ops.add(ops.widen(r), ops.widen(columnPart[i]!))))

/**
 * Computes the state after the first round for a nonce outside planes.
 * @param state 12 elements: the midstate of the nonce, from `spongeBeforeLast`
 */
export const firstRound = <V, W>(ops: Ops<V, W>, state: readonly V[]): V[] =>
  externalRounds(ops, [INITIAL_EXTERNAL[1]!], firstLayer(ops, state))

/**
 * Computes the first element of the hash from the state after the first round: the rest of that permutation, then the
 * permutation after the terminator, whose last round computes element 0 only.
 */
export function hashElement<V, W>(ops: Ops<V, W>, afterFirstRound: readonly V[]): V {
  let s = externalRounds(ops, constantsToInternal(1), afterFirstRound)
  s = internalRounds(ops, s)
  // The terminator takes the place of the next round's constants.
  s = externalRounds(ops, [...TERMINAL_EXTERNAL.slice(1), TERMINATOR], s)
  s = firstLayer(ops, s)
  s = externalRounds(ops, constantsToInternal(0), s)
  s = internalRounds(ops, s)
  if (ops.reusesSteps) return externalRounds(ops, [...TERMINAL_EXTERNAL.slice(1), NO_CONSTANTS], s)[0]!
  s = externalRounds(ops, TERMINAL_EXTERNAL.slice(1), s)
  return ops.repeat(lastRound, [[]], s)[0]!
}

/** The last round for element 0; the other elements are returned unchanged. */
const lastRound: Step = {
  name: "last-round",
  apply(ops, state) {
    const products = state.map(x => sbox(ops, x))
    return [ops.reduce(externalLayerFirst(ops, products)), ...state.slice(1)]
  },
}

const NO_CONSTANTS: readonly bigint[] = new Array<bigint>(WIDTH).fill(0n)

/** What the sponge adds before its last permutation: 1 to elements 0 and 1. */
const TERMINATOR: readonly bigint[] = Array.from({ length: WIDTH }, (_, i) => (i < 2 ? 1n : 0n))
