/** JSON whose integers keep every digit: a pool's difficulty can far exceed 2^53. */

/** A U512 has 155 digits. */
const MAX_DIGITS = 200

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

/**
 * `JSON.parse`, but an integer outside ±(2^53 − 1) becomes a `bigint` in any notation (`12e20` too).
 * @throws SyntaxError if the text is not JSON, RangeError if it is nested too deeply
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, exactly as Parameters<typeof JSON.parse>[1])
}

const exactly: Reviver = (_key, value, { source }) => {
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value
  return integerOf(source) ?? value
}

/** The integer that the text of a JSON number denotes; undefined for a fraction or more than 200 digits. */
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

/** A value of `parseExactJson` for people, at most `max` characters: lists and objects as JSON, integers with every digit. */
export function shown(value: unknown, max = 160): string {
  if (value === undefined) return "absent"
  if (typeof value !== "object") return String(value).slice(0, max)
  try {
    return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part)).slice(0, max)
  } catch {
    return "something nested too deeply"
  }
}
