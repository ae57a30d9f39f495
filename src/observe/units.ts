/** Formats numbers for people. */

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"]

/** 1234567 → `1.235 M`: four digits, a space and a prefix; no space without a prefix. */
export function formatCount(count: number): string {
  const prefix = prefixFor(count)
  return prefix === 0 ? String(Math.round(count)) : `${formatScaled(count, prefix)} ${PREFIXES[prefix]}`
}

/** 1234567 → `1.235 MH/s`; `n/a` if unknown. */
export function formatRate(rate: number | undefined): string {
  if (rate === undefined) return "n/a"
  const prefix = prefixFor(rate)
  return `${formatScaled(rate, prefix)} ${PREFIXES[prefix]}H/s`
}

/** 93784 s → `1d 02:03:04`; days are omitted if zero. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  const clock = [hours, minutes, whole % 60].map(part => String(part).padStart(2, "0")).join(":")
  return days > 0 ? `${days}d ${clock}` : clock
}

/** The index of the largest prefix with which the value is at least 1. */
function prefixFor(value: number): number {
  let prefix = 0
  // Compares the rounded value, so that 999,999 is `1.000 M`, never `1000.0 k`.
  while (prefix < PREFIXES.length - 1 && value / 1000 ** prefix >= 999.95) prefix += 1
  return prefix
}

function formatScaled(value: number, prefix: number): string {
  const scaled = value / 1000 ** prefix
  if (prefix === 0) return String(Math.round(scaled))
  return scaled.toFixed(scaled >= 99.995 ? 1 : scaled >= 9.9995 ? 2 : 3)
}
