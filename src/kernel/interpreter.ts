/** The vocabulary's meaning: every operation computed with BigInt, modulo p. Renderers are tested against it. */
import { mod } from "../pow/field.ts"
import type { Constant, Ops } from "./ops.ts"

/** A field element, canonical; a class of its own so that elements and sums cannot be mistaken for each other. */
export class Element {
  constructor(readonly value: bigint) {}
}

export class Sum {
  constructor(readonly value: bigint) {}
}

const element = (value: bigint) => new Element(mod(value))
const sum = (value: bigint) => new Sum(mod(value))

export const interpreter: Ops<Element, Sum> = {
  productsTakeConstants: false,
  square: a => element(a.value * a.value),
  multiply: (a, b) => element(a.value * b.value),
  product: (a, b) => sum(a.value * b.value),
  zero: () => sum(0n),
  widen: a => sum(a.value),
  add: (a, b) => sum(a.value + b.value),
  double: a => sum(2n * a.value),
  addConstant: (a, constant) => sum(a.value + known(constant)),
  multiplyAdd: (a, b, constant) => sum(a.value + b.value * known(constant)),
  reduce: a => element(a.value),
  reduceLinear: a => element(a.value),
  settle: a => a,
  repeat: (step, rows, state) => rows.reduce<Element[]>((s, row) => step.apply(interpreter, s, row), [...state]),
}

/** Unrolled loops pass only constants that are known. */
function known(constant: Constant): bigint {
  if (typeof constant !== "bigint") throw new TypeError("the interpreter unrolls its loops")
  return constant
}
