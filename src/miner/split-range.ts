import type { NonceRange } from "../sources/source.ts"

/**
 * Divides a range into consecutive parts, one per weight and proportional to it.
 * @param weights positive, one or more
 * @returns the parts in order; undefined for an empty part
 */
export function splitRange({ first, last }: NonceRange, weights: readonly bigint[]): (NonceRange | undefined)[] {
  const total = weights.reduce((a, b) => a + b, 0n)
  const size = last - first + 1n
  let before = 0n
  return weights.map(weight => {
    const begin = first + (size * before) / total
    before += weight
    const end = first + (size * before) / total
    return begin < end ? { first: begin, last: end - 1n } : undefined
  })
}
