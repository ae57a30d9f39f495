/** Tails of the Poisson distribution, by which a count of random events is compared with its expectation. */

const MAX_TERMS = 100_000
const PRECISION = 1e-15
const TINY = 1e-300

/** P(X ≤ count) for X with this mean. @param count an integer of at least 0 @param mean at least 0 */
export function atMost(count: number, mean: number): number {
  return 1 - atLeast(count + 1, mean)
}

/** P(X ≥ count) for X with this mean. @param count an integer of at least 0 @param mean at least 0 */
export function atLeast(count: number, mean: number): number {
  if (count === 0) return 1
  if (mean === 0) return 0
  // The regularized lower incomplete gamma function P(count, mean), DLMF 8.4.8 and 8.17.
  const scale = Math.exp(count * Math.log(mean) - mean - logGamma(count))
  const value = mean < count + 1 ? scale * series(count, mean) : 1 - scale * continuedFraction(count, mean)
  return Math.min(1, Math.max(0, value))
}

/** Σ x^n / (a (a+1) … (a+n)), DLMF 8.7.1; converges fast for x < a + 1. */
function series(a: number, x: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < MAX_TERMS && term > sum * PRECISION; n++) {
    term *= x / (a + n)
    sum += term
  }
  return sum
}

/** 1/(x+1−a− 1(1−a)/(x+3−a− …)), DLMF 8.9.2, by Lentz's method; converges fast for x ≥ a + 1. */
function continuedFraction(a: number, x: number): number {
  let b = x + 1 - a
  let c = 1 / TINY
  let d = 1 / b
  let value = d
  for (let n = 1; n < MAX_TERMS; n++) {
    const numerator = -n * (n - a)
    b += 2
    d = 1 / nonZero(numerator * d + b)
    c = nonZero(b + numerator / c)
    value *= c * d
    if (Math.abs(c * d - 1) < PRECISION) break
  }
  return value
}

const nonZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value)

/** ln Γ(x) for x ≥ 1: Stirling's series (DLMF 5.11.1) above 10, the recurrence below. */
function logGamma(x: number): number {
  if (x < 10) return logGamma(x + 1) - Math.log(x)
  const inverse = 1 / (x * x)
  const correction = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + correction
}
