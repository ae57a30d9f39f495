/** JSON whose integers lose no digit: a pool's difficulty goes far beyond 2^53. */

/** No number that a pool means has more digits: a U512 has 155. */
const MAX_DIGITS = 200

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

/**
 * `JSON.parse`, where an integer outside ±(2^53 − 1) comes as a `bigint`, however it is written (`12e20` too).
 * @throws SyntaxError where the text is no JSON, RangeError where it is nested too deeply
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, exactly as Parameters<typeof JSON.parse>[1])
}

const exactly: Reviver = (_key, value, { source }) => {
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value
  return integerOf(source) ?? value
}

/** The integer that a JSON number's text denotes; undefined for a fraction or an absurd size. */
function integerOf(source: string): bigint | undefined {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(source) ?? []
  if (whole === undefined) return undefined
  const digits = (whole + fraction).replace(/^0+(?=\d)/, "")
  const shift = Number(exponent) - fraction.length
  if (digits.length + shift > MAX_DIGITS || digits.length > MAX_DIGITS) return undefined
  const integer = shift >= 0 ? digits.padEnd(digits.length + shift, "0") : withoutZeros(digits, -shift)
  return integer === undefined ? undefined : BigInt(`${sign}${integer}`)
}

function withoutZeros(digits: string, count: number): string | undefined {
  const kept = digits.length - count
  return kept > 0 && /^0*$/.test(digits.slice(kept)) ? digits.slice(0, kept) : undefined
}
