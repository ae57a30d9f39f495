/** Formats numbers and verdicts for the miner's log. */
import type { Log } from "../log.ts"
import type { Job, Seal, Verdict } from "../sources/source.ts"

/** `1,234,567` */
export const grouped = (value: bigint | number): string => value.toLocaleString("en-US")

/** `1,234,567`; `1.23e+45` from 10^15. */
export const difficultyOf = ({ difficulty }: Job): string =>
  difficulty < 10n ** 15n ? grouped(difficulty) : Number(difficulty).toExponential(2)

/** `1 seal`, `1,234 seals` */
export const sealsOf = (count: number): string => `${grouped(count)} ${count === 1 ? "seal" : "seals"}`

/** `0.25 s`, `12.3 s`, `3 min 20 s` */
export function ageOf(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
}

/** `2 s`, `1.5 s` */
export const secondsOf = (ms: number): string => `${Number((ms / 1000).toFixed(1))} s`

/** The log line of a verdict and its level. */
export function describeVerdict({ job, unit }: Seal, verdict: Verdict): [level: keyof Levels, message: string] {
  const seal = `the seal of ${job.id} by ${unit}`
  switch (verdict.result) {
    case "sent":
      return ["success", `${seal} was sent to ${job.source}`]
    case "accepted":
      return ["success", `${seal} was accepted by ${job.source}`]
    case "rejected":
      return ["warn", `${seal} was rejected by ${job.source}: ${verdict.reason}`]
    case "stale":
      return ["info", `${seal} is stale and was not sent: its job or difficulty had changed`]
    case "lost":
      return ["warn", `${seal} was sent, but ${job.source} did not answer`]
  }
}

type Levels = Pick<Log, "success" | "info" | "warn">
