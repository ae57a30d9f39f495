/** Keys of a miner that runs in the foreground of a terminal. */
import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import type { Miner } from "../miner/miner.ts"
import type { SealResult, Snapshot } from "../observe/snapshot.ts"
import { chanceText, speedText } from "../observe/status-line.ts"
import { printable } from "../observe/terminal.ts"
import { formatDuration, formatRate } from "../observe/units.ts"

/** The part of `process.stdin` that is used. */
export interface KeyInput {
  readonly isTTY?: boolean
  setRawMode(raw: boolean): unknown
  on(event: "data", listener: (data: Buffer) => void): unknown
  off(event: "data", listener: (data: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

/** The part of `process` that is used. */
export interface SignalTarget {
  on(event: NodeJS.Signals, listener: () => void): unknown
  off(event: NodeJS.Signals, listener: () => void): unknown
  /** Sends a signal to this process group, as the terminal would. */
  interrupt(signal: "SIGINT" | "SIGQUIT" | "SIGTSTP"): void
  /** Stops this process until SIGCONT. */
  suspend(): void
}

export interface KeysOptions {
  readonly input: KeyInput
  readonly signals: SignalTarget
  /** Whether this process may read from the terminal; reading in the background would stop it. */
  readonly isInForeground: () => boolean
  readonly miner: Pick<Miner, "setPaused">
  readonly snapshot: () => Snapshot
  readonly clock: Clock
  readonly log: Log
}

/** A shell sends no signal to a running job that it brings to the foreground. */
const FOREGROUND_CHECK_MS = 1000

const HELP = "keys: h hash rate, p pause, r resume, s results, c connection, ? this line"

/** In raw mode the terminal delivers its own control characters as input. */
const CONTROLS: Readonly<Record<string, "SIGINT" | "SIGQUIT" | "SIGTSTP">> = {
  "\x03": "SIGINT",
  "\x1a": "SIGTSTP",
  "\x1c": "SIGQUIT",
}

/**
 * Reads keys while the process is in the foreground of the terminal `input`; does nothing if `input` is no terminal.
 * @returns a function that restores the terminal
 */
export function readKeys({ input, signals, isInForeground, miner, snapshot, clock, log }: KeysOptions): () => void {
  if (!input.isTTY) return () => {}
  const actions: Readonly<Record<string, () => void>> = {
    h: () => say(rateLines(snapshot())),
    p: () => miner.setPaused("operator", true),
    r: () => {
      const { pauses } = snapshot()
      // The miner logs a change; without one the operator would see nothing.
      if (pauses.length > 0 && !pauses.includes("operator")) say([`still paused (${pauses.join(", ")})`])
      miner.setPaused("operator", false)
    },
    s: () => say([resultsLine(snapshot())]),
    c: () => say(connectionLines(snapshot())),
    "?": () => say([HELP]),
  }
  const say = (lines: readonly string[]) => {
    for (const line of lines) log.info(line)
  }
  const press = (data: Buffer) => {
    const text = data.toString()
    // Arrow and function keys are sequences that start with an escape character.
    if (text.startsWith("\x1b")) return
    for (const key of text) {
      const signal = CONTROLS[key]
      if (signal) signals.interrupt(signal)
      else actions[key.toLowerCase()]?.()
    }
  }
  let isReading = false
  const start = () => {
    if (isReading || !isInForeground()) return
    isReading = true
    input.setRawMode(true)
    input.on("data", press)
    input.resume()
    log.info(HELP)
  }
  const stop = () => {
    if (!isReading) return
    isReading = false
    input.off("data", press)
    input.pause()
    input.setRawMode(false)
  }
  const suspend = () => {
    stop()
    signals.suspend()
  }
  start()
  signals.on("SIGTSTP", suspend)
  signals.on("SIGCONT", start)
  const endChecks = clock.every(FOREGROUND_CHECK_MS, start)
  return () => {
    endChecks()
    signals.off("SIGTSTP", suspend)
    signals.off("SIGCONT", start)
    stop()
  }
}

/** Keys of this process's standard input. */
export function readProcessKeys(options: Omit<KeysOptions, "input" | "signals">): () => void {
  if (process.platform === "win32") {
    // Windows has neither process groups nor stopped processes.
    const signals = { on() {}, off() {}, interrupt: () => process.emit("SIGINT"), suspend() {} }
    return readKeys({ ...options, input: process.stdin, signals })
  }
  const signals: SignalTarget = {
    on: (event, listener) => process.on(event, listener),
    off: (event, listener) => process.off(event, listener),
    interrupt: signal => void process.kill(0, signal),
    suspend: () => void process.kill(process.pid, "SIGSTOP"),
  }
  return readKeys({ ...options, input: process.stdin, signals })
}

function rateLines({ units, rates }: Snapshot): string[] {
  const speed = speedText(rates) || "not known yet: a rate covers ten seconds"
  return [...units.map(({ id, rates: { tenSeconds } }) => `${id} ${formatRate(tenSeconds)}`), `speed ${speed}`]
}

function resultsLine({ seals, expectedSeals, expectation, uptimeSeconds }: Snapshot): string {
  const counts = (Object.entries(seals) as [SealResult, number][]).map(([result, number]) => `${number} ${result}`)
  return `seals: ${counts.join(", ")}; ${expectedSeals.toFixed(1)} expected in ${formatDuration(uptimeSeconds)} (${chanceText(expectation)})`
}

function connectionLines({ sources, job }: Snapshot): string[] {
  const lines = sources.map(({ name, up, sinceSeconds, problem, reconnects, active }) => {
    const since = sinceSeconds === undefined ? "" : ` for ${formatDuration(sinceSeconds)}`
    const count = Object.values(reconnects).reduce((sum, number) => sum + number, 0)
    const why = problem === undefined ? "" : `: ${printable(problem)}`
    return `${name} ${up ? "up" : "down"}${since}${active ? ", in use" : ""}, reconnects: ${count}${why}`
  })
  return job ? [...lines, `job ${printable(job.id)}, ${formatDuration(job.ageSeconds)} old`] : [...lines, "no job"]
}
