/** The status: a line that is redrawn on a terminal, or one log line per minute elsewhere. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import type { Rates } from "./hash-rate.ts"
import { type Expectation, goodSeals, type Snapshot } from "./snapshot.ts"
import type { Stats } from "./stats.ts"
import { printable, type Terminal } from "./terminal.ts"
import { formatCount, formatDuration, formatRate } from "./units.ts"

const REDRAW_EVERY_MS = 250
const SPEED_EVERY_MS = 60_000
/** The first speed line comes when the shortest window is full. */
const FIRST_SPEED_MS = 15_000

export interface StatusLineOptions {
  readonly stats: Stats
  readonly clock: Clock
  readonly log: Log
  readonly terminal: Terminal
  /** Whether a line is redrawn where the terminal allows it. */
  readonly redrawn: boolean
}

/** Starts the status. @returns stops it and clears the line */
export function startStatusLine({ stats, clock, log, terminal, redrawn }: StatusLineOptions): () => void {
  if (!terminal.interactive || !redrawn) {
    const say = () => {
      const speed = speedText(stats.snapshot().rates)
      if (speed !== "") log.info(`speed ${speed}`)
    }
    const endings = [clock.after(FIRST_SPEED_MS, say), clock.every(SPEED_EVERY_MS, say)]
    return () => {
      for (const end of endings) end()
    }
  }
  const draw = () => terminal.setStatus(statusLine(stats.snapshot(), terminal.columns - 1))
  draw()
  const stop = clock.every(REDRAW_EVERY_MS, draw)
  return () => {
    stop()
    terminal.setStatus("")
  }
}

/** `10s 512.3 kH/s 60s 510.1 kH/s max 520.4 kH/s`, without the windows that are not full yet. */
export function speedText({ tenSeconds, minute, quarterHour, highest }: Rates): string {
  const named = { "10s": tenSeconds, "60s": minute, "15m": quarterHour, max: highest }
  const known = Object.entries(named).filter(([, rate]) => rate !== undefined)
  return known.map(([name, rate]) => `${name} ${formatRate(rate)}`).join(" ")
}

/** One line of at most `columns` columns; parts that do not fit are omitted. */
export function statusLine(now: Snapshot, columns: number): string {
  const parts = [
    speedText({ ...now.rates, highest: undefined }) || "n/a H/s",
    jobPart(now),
    sealsPart(now),
    formatDuration(now.uptimeSeconds),
    devicesPart(now),
    sourcePart(now),
  ]
  let line = ""
  for (const part of parts) {
    const longer = line && part ? `${line} | ${part}` : line + part
    if (Bun.stringWidth(longer) <= columns) line = longer
  }
  return line
}

function jobPart({ job, notReady, pauses }: Snapshot): string {
  if (pauses.length > 0) return `paused (${pauses.join(", ")})`
  if (!job) return shorten(printable(notReady ?? "no job"), 48)
  return `job ${shorten(printable(job.id), 12)} diff ${formatCount(Number(job.difficulty))} ${formatDuration(job.ageSeconds)}`
}

/**
 * `seals 3 of 4, 3.4 expected (P 0.74), one per 00:12:10`: good ones, all, the expected number with the probability of
 * that many or fewer (or more), and the mean time to one at the present rate and difficulty.
 */
function sealsPart({ seals, expectation }: Snapshot): string {
  const bad = seals.rejected + seals.stale + seals.lost
  const good = goodSeals(seals)
  const { secondsPerSeal } = expectation
  return [
    bad > 0 ? `seals ${good} of ${good + bad}` : `seals ${good}`,
    ...(expectation.expected < 1 ? [] : [`${expectedText(expectation)} expected (${chanceText(expectation)})`]),
    ...(secondsPerSeal === undefined ? [] : [`one per ${formatDuration(secondsPerSeal)}`]),
  ].join(", ")
}

const expectedText = ({ expected }: Expectation): string =>
  expected < 100 ? expected.toFixed(1) : formatCount(Math.round(expected))

/** `P 0.45`: the probability of the number found or fewer where fewer than expected were found, otherwise of it or more. */
export function chanceText({ found, expected, probabilityOfSoFew, probabilityOfSoMany }: Expectation): string {
  const probability = found < expected ? probabilityOfSoFew : probabilityOfSoMany
  return probability < 0.001 ? "P < 0.001" : `P ${probability.toPrecision(2)}`
}

/** The temperature of the hottest device and the power of all devices. */
function devicesPart({ units }: Snapshot): string {
  const temperatures = units.flatMap(unit => unit.temperatureCelsius ?? [])
  const watts = units.flatMap(unit => unit.powerWatts ?? [])
  const total = watts.reduce((sum, power) => sum + power, 0)
  const parts = [
    ...(temperatures.length > 0 ? [`${Math.round(Math.max(...temperatures))} °C`] : []),
    ...(watts.length > 0 ? [`${Math.round(total)} W`] : []),
  ]
  return parts.join(" ")
}

function sourcePart({ sources }: Snapshot): string {
  const source = sources.find(({ active }) => active) ?? sources[0]
  return source ? `${source.name}${source.up ? "" : " down"}` : ""
}

/**
 * The final counts, logged when mining ends:
 * `stopped after 1,234,200,000 hashes and 4 seals (3 accepted, 1 stale) in 00:10:00, 2.057 MH/s on average`.
 */
export function lastWords({ hashes, uptimeSeconds, seals }: Snapshot): string {
  const counts = Object.entries(seals).filter(([, number]) => number > 0)
  const total = counts.reduce((sum, [, number]) => sum + number, 0)
  const results = total > 0 ? ` (${counts.map(([result, number]) => `${number} ${result}`).join(", ")})` : ""
  const found = `${total.toLocaleString("en-US")} ${total === 1 ? "seal" : "seals"}${results}`
  const rate = uptimeSeconds > 0 ? formatRate(Number(hashes) / uptimeSeconds) : "n/a"
  return (
    `stopped after ${hashes.toLocaleString("en-US")} hashes and ${found} in ${formatDuration(uptimeSeconds)}, ` +
    `${rate} on average`
  )
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
