import { expect, test } from "bun:test"
import fc from "fast-check"
import { parseExactJson } from "../../../src/sources/stratum/exact-json.ts"

test("integers keep all digits", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 512n), max: 2n ** 512n }), integer => {
      const parsed = parseExactJson(`{"difficulty":${integer}}`) as { difficulty: number | bigint }
      expect(BigInt(parsed.difficulty)).toBe(integer)
    }),
  )
})

test("integers up to 2^53 − 1 are numbers, those beyond bigints", () => {
  expect(parseExactJson("[9007199254740991,9007199254740992,-9007199254740993]")).toEqual([
    9007199254740991,
    9007199254740992n,
    -9007199254740993n,
  ])
})

test.each([
  ["1e21", 10n ** 21n],
  ["1.25E+22", 125n * 10n ** 20n],
  ["9007199254740993.0", 9007199254740993n],
  ["10000000000.00", 10_000_000_000],
  ["0.5", 0.5],
  ["1e-7", 1e-7],
  ["12345678901234567890.5", Number("12345678901234567890.5")],
  ["1e400", Number.POSITIVE_INFINITY],
  ["1e999999999999", Number.POSITIVE_INFINITY],
])("%s", (text, value) => {
  expect(parseExactJson(text)).toEqual(value)
})

test("all other values are parsed as by JSON.parse", () => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), text => {
      const plain = JSON.stringify(JSON.parse(text))
      expect(JSON.stringify(parseExactJson(text), (_, v) => (typeof v === "bigint" ? Number(v) : v))).toBe(plain)
    }),
  )
})
