/**
 * The vocabulary of `ops.ts` over the words and pairs of `limb-text.ts`, for GPUs. `goldilocks.ts` explains φ and
 * dropped carries; `docs/gpu.md` adds up how often they lose a nonce.
 *
 * An element is two 32-bit words, 0 … 2^64 − 1. A *word* has 32 bits and a *pair* has 64.
 */
import { P } from "../../pow/field.ts"
import { PHI } from "../goldilocks.ts"
import type { Constant, ConstantTable, Ops, Step } from "../ops.ts"
import type { Phase } from "../phases.ts"
import { FlagProducts } from "./flag-products.ts"
import { LIMB_FORMS, type LimbForm, type LimbFormName } from "./limb-form.ts"
import type { LimbProducts } from "./limb-products.ts"
import { type Chain, LimbSums, type Words } from "./limb-sums.ts"
import type { Limbs, LimbText } from "./limb-text.ts"
import { ValueProducts } from "./value-products.ts"

/** An unreduced sum. */
export type Sum = Words | Chain | Products

/** The sum `sum` + a · constant, rendered when it is reduced. */
interface Products {
  readonly kind: "products"
  readonly sum: Words | Chain
  readonly a: Limbs
  readonly constant: bigint
}

/** Maximum third word of a sum whose reduction drops carries; their probability is then below 2^-26. */
const SMALL_MAX = 64

export class LimbOps implements Ops<Limbs, Sum> {
  readonly productsTakeConstants = false
  readonly #text: LimbText
  readonly #form: LimbForm
  readonly #sums: LimbSums
  readonly #products: LimbProducts

  constructor(text: LimbText, form: LimbFormName | LimbForm) {
    this.#text = text
    this.#form = typeof form === "string" ? LIMB_FORMS[form] : form
    this.#sums = new LimbSums(text, this.#form)
    this.#products = this.#form.carries === "flag" ? new FlagProducts(text, this.#form.fold) : new ValueProducts(text)
  }

  square(a: Limbs): Limbs {
    return this.#products.square(a)
  }

  multiply(a: Limbs, b: Limbs): Limbs {
    return this.#products.multiply(a, b)
  }

  product(a: Limbs, b: Limbs): Sum {
    return this.widen(this.multiply(a, b))
  }

  zero(): Sum {
    return { kind: "chain", terms: [] }
  }

  widen(a: Limbs): Chain {
    return { kind: "chain", terms: [a] }
  }

  add(a: Sum, b: Sum): Sum {
    return this.#sums.add(this.#addable(a), this.#addable(b))
  }

  double(a: Sum): Sum {
    const words = this.#words(a)
    return this.#sums.plus(words, words)
  }

  addConstant(a: Sum, constant: Constant): Sum {
    return this.add(a, this.widen(this.#constant(constant)))
  }

  multiplyAdd(sum: Sum, a: Limbs, constant: Constant): Sum {
    if (typeof constant !== "bigint") throw new TypeError("constants of a loop can only be added")
    return { kind: "products", sum: this.#addable(sum), a, constant }
  }

  reduce(a: Sum): Limbs {
    if (a.kind === "products") return this.#reduceProducts(a)
    if (a.kind === "chain" && a.terms.length < 2) return a.terms[0] ?? ["0", "0"]
    return this.#reduceWords(this.#words(a))
  }

  reduceLinear(a: Sum): Limbs {
    return this.reduce(a)
  }

  settle(a: Sum): Sum {
    const sum = this.#addable(a)
    this.#sums.addends(sum)
    return sum
  }

  repeat(step: Step, table: ConstantTable, state: readonly Limbs[]): Limbs[] {
    if (table.length === 1) return step.apply(this, state, table[0]!)
    return this.#text.loop(step, table, state, this.#body)
  }

  /** Applies phases in order, in code that contains every step once. */
  repeatPhases(phases: readonly Phase[], state: readonly Limbs[]): Limbs[] {
    const last = phases.at(-1)!
    if (last.table.length > 1 || phases.slice(0, -1).some(({ step }) => step === last.step))
      return this.#text.loopPhases(phases, state, this.#body)
    // A last step that does not recur follows the loop.
    return this.repeat(last.step, last.table, this.#text.loopPhases(phases.slice(0, -1), state, this.#body))
  }

  /** Renders one application of a step by a text that is bound to an entry of its table. */
  readonly #body = (text: LimbText, step: Step, columns: readonly Constant[], state: readonly Limbs[]) =>
    step.apply(new LimbOps(text, this.#form), state, columns)

  #reduceProducts({ sum, a, constant }: Products): Limbs {
    const shifted = (constant * PHI) % P
    return this.#products.addProducts(this.#sums.addends(sum), a, [
      [constant % PHI, shifted % PHI],
      [constant / PHI, shifted / PHI],
    ])
  }

  /** Computes w0 + φ w1 + φ² w2 ≡ (w0 − w2) + φ (w1 + w2). */
  #reduceWords({ words: [w0, w1, w2], max }: Words): Limbs {
    if (max === 0) return [w0, w1]
    const t = this.#text
    let [taken, high] = [w2, ""]
    if (max <= SMALL_MAX) {
      high = t.add(w1, w2)
    } else {
      const [sum, carry] = t.addOut(w1, w2)
      const word = t.addIn("0", "0", carry)
      high = t.add(sum, word)
      taken = t.add(w2, word)
    }
    const [low, borrow] = t.subtractOut(w0, taken)
    return [low, t.subtractIn(high, "0", borrow)]
  }

  #addable(sum: Sum): Words | Chain {
    return sum.kind === "products" ? this.widen(this.#reduceProducts(sum)) : sum
  }

  #words(sum: Sum): Words {
    return this.#sums.words(this.#addable(sum))
  }

  #constant(constant: Constant): Limbs {
    const t = this.#text
    if (typeof constant === "bigint") return [t.literal(constant % PHI), t.literal(constant / PHI)]
    return t.constant(constant.column)
  }
}
