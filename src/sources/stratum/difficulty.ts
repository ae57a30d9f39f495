/** What a pool means by `difficulty` and `target`: read exactly, never guessed. */
import { U512_MAX } from "../../pow/u512.ts"
import { shown } from "./exact-json.ts"

export interface ShareBound {
  /** 1 … 2^512 − 1, for people; a fraction is rounded up. */
  readonly difficulty: bigint
  /** The number that a share's hash must be below; if absent, the difficulty decides. */
  readonly target?: bigint
}

/** A non-negative decimal fraction, exact. */
interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

/** A U512 has 155 digits. */
const MAX_DIGITS = 200
/** `difficulty` and `target` agree if they differ by at most this part, or by 1. */
const TOLERANCE = 100n

/**
 * Reads the two fields of a job. A target of 128 hex digits decides, since the pool compares hashes with it, and the
 * difficulty must agree with it. Without such a target the difficulty decides.
 * @returns the bound, or a sentence with both values
 */
export function shareBound(difficulty: unknown, target: unknown): ShareBound | string {
  const fraction = fractionOf(difficulty)
  const bound = targetField(target)
  if (bound !== undefined) return boundOfTarget(bound, fraction, difficulty, target)
  const rounded = fraction && ceil(fraction)
  if (rounded !== undefined && rounded >= 1n && rounded <= U512_MAX) return { difficulty: rounded }
  return `difficulty: expected 1 … 2^512 − 1, got ${shown(difficulty)}; target: ${shown(target)}`
}

function boundOfTarget(
  target: bigint,
  fraction: Fraction | undefined,
  difficulty: unknown,
  shownTarget: unknown,
): ShareBound | string {
  const exact = U512_MAX / target
  if (difficulty == null) return { difficulty: exact, target }
  if (!fraction || !agrees(fraction, exact)) {
    return `difficulty and target disagree: ${shown(difficulty)}, but the target ${shown(shownTarget)} is that of ${exact}`
  }
  const rounded = ceil(fraction)
  return { difficulty: rounded >= 1n && rounded <= U512_MAX ? rounded : exact, target }
}

/** Whether the fraction is within 1 % of the difficulty of a target, or within 1. */
function agrees({ numerator, denominator }: Fraction, exact: bigint): boolean {
  const difference = numerator - exact * denominator
  const distance = difference < 0n ? -difference : difference
  return distance <= denominator || distance * TOLERANCE <= exact * denominator
}

/** 128 hex digits, with or without `0x`, above 0. */
function targetField(value: unknown): bigint | undefined {
  const digits = typeof value === "string" ? /^(?:0x)?([0-9a-f]{128})$/i.exec(value.trim())?.[1] : undefined
  const target = digits === undefined ? 0n : BigInt(`0x${digits}`)
  return target === 0n ? undefined : target
}

/** A number, or decimal text, with a fraction or an exponent: `2000.5`, `"2000.0"`, `"2e3"`. */
function fractionOf(value: unknown): Fraction | undefined {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") return undefined
  const [, whole, decimals = "", exponent = "0"] =
    /^\+?(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i.exec(String(value).trim()) ?? []
  if (whole === undefined) return undefined
  const shift = Number(exponent) - decimals.length
  if (whole.length + decimals.length > MAX_DIGITS || Math.abs(shift) > MAX_DIGITS) return undefined
  const digits = BigInt(whole + decimals)
  return shift >= 0
    ? { numerator: digits * 10n ** BigInt(shift), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-shift) }
}

const ceil = ({ numerator, denominator }: Fraction): bigint => (numerator + denominator - 1n) / denominator
