import { expect, test } from "bun:test"
import fc from "fast-check"
import { add, mod, mul, P, pow7 } from "../../src/pow/field.ts"
import { externalLayer, internalLayer } from "../../src/pow/poseidon2.ts"

const edges = [0n, 1n, P - 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n]
const element = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: 0n, max: P - 1n }))
const state = fc.array(element, { minLength: 12, maxLength: 12 })

test("the field operations satisfy the laws of a field", () => {
  fc.assert(
    fc.property(element, element, element, (a, b, c) => {
      expect(mul(a, add(b, c))).toBe(add(mul(a, b), mul(a, c)))
      expect(mod(a - b)).toBe(add(a, mul(P - 1n, b)))
      expect(pow7(a)).toBe(mod(a ** 7n))
    }),
  )
})

test("both layers are linear", () => {
  fc.assert(
    fc.property(state, state, (s, t) => {
      const sum = s.map((x, i) => add(x, t[i]!))
      for (const layer of [externalLayer, internalLayer]) {
        const [a, b] = [layer(s), layer(t)]
        expect(layer(sum)).toEqual(a.map((x, i) => add(x, b[i]!)))
      }
    }),
  )
})
