/**
 * The Poseidon2 permutation over Goldilocks with width 12 (Grassi, Khovratovich, Schofnegger, "Poseidon2", IACR ePrint
 * 2023/323, §5 and §6). A state is 12 canonical elements; every function returns one.
 */
import { INITIAL_EXTERNAL, INTERNAL, INTERNAL_DIAGONAL, TERMINAL_EXTERNAL } from "./constants.ts"
import { add, mod, pow7 } from "./field.ts"

export type State = readonly bigint[]

/** Computes the permutation: an external layer, then 4 external, 22 internal and 4 external rounds. */
export function permute(state: State): bigint[] {
  let s = externalLayer(state)
  for (const constants of INITIAL_EXTERNAL) s = externalRound(s, constants)
  for (const constant of INTERNAL) s = internalRound(s, constant)
  for (const constants of TERMINAL_EXTERNAL) s = externalRound(s, constants)
  return s
}

/** Adds a constant to each element, applies the S-box to each, then applies the external layer. */
export function externalRound(state: State, constants: readonly bigint[]): bigint[] {
  return externalLayer(state.map((x, i) => pow7(add(x, constants[i]!))))
}

/** Adds a constant to element 0, applies the S-box to element 0, then applies the internal layer. */
export function internalRound(state: State, constant: bigint): bigint[] {
  return internalLayer([pow7(add(state[0]!, constant)), ...state.slice(1)])
}

/**
 * Computes M_E: multiplies each run of four elements by M4, then adds to each element its column's sum over the runs.
 */
export function externalLayer(state: State): bigint[] {
  const runs = [0, 4, 8].map(first => multiplyM4(state.slice(first, first + 4)))
  const columns = [0, 1, 2, 3].map(column => runs[0]![column]! + runs[1]![column]! + runs[2]![column]!)
  return runs.flatMap(run => run.map((x, column) => mod(x + columns[column]!)))
}

/** Computes M_I: `s_i ← Σ s + d_i · s_i`. */
export function internalLayer(state: State): bigint[] {
  const sum = state.reduce((a, b) => a + b)
  return state.map((x, i) => mod(sum + INTERNAL_DIAGONAL[i]! * x))
}

/** Computes M4 = circ(2, 3, 1, 1) times four elements, without reducing modulo p. */
function multiplyM4([a, b, c, d]: readonly bigint[]): bigint[] {
  const sum = a! + b! + c! + d!
  return [sum + a! + 2n * b!, sum + b! + 2n * c!, sum + c! + 2n * d!, sum + d! + 2n * a!]
}
