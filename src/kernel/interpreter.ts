/** The reference meaning of the vocabulary: BigInt arithmetic modulo p. Every renderer is tested against it. */
import { mod } from "../pow/field.ts"
import type { Constant, Ops } from "./ops.ts"

/** A canonical field element. Elements and sums are separate classes so that the type checker tells them apart. */
export class Element {
  constructor(readonly value: bigint) {}
}

/** A sum, reduced modulo p. */
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
  repeat: (step, table, state) => table.reduce<Element[]>((s, entry) => step.apply(interpreter, s, entry), [...state]),
}

/** Narrows a constant to a number: `repeat` unrolls loops here, so steps never receive a `TableEntry`. */
function known(constant: Constant): bigint {
  if (typeof constant !== "bigint") throw new TypeError("the interpreter does not support table entries")
  return constant
}
