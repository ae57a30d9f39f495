/**
 * The executable with pools that behave in their own way, and a good pool behind them. `POOLS_EXECUTABLE` names another
 * executable than the built one, to compare versions.
 */
import { describe, expect, test } from "bun:test"
import { systemClock as clock } from "../../../src/clock.ts"
import { startPool } from "../../../src/devnode/pool.ts"
import { builtExecutable } from "../../support/executable.ts"
import { MinerProcess } from "../../support/miner-process.ts"
import { figure } from "../figures.ts"
import { SCENARIOS, type Scenario } from "./scenarios.ts"
import { DIFFICULTY, type ScriptedPool, startScriptedPool } from "./scripted-pool.ts"

/** Scenarios at a time that hash; those that mostly wait run beside them. */
const AT_A_TIME = 3
const LIMIT_MS = 60_000
const SLOW_LIMIT_MS = 420_000
const REST_LIMIT_MS = 30_000

const program = process.env["POOLS_EXECUTABLE"] ?? builtExecutable()

let running = 0
const waiting: (() => void)[] = []

async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  while (running >= AT_A_TIME) await new Promise<void>(resolve => waiting.push(resolve))
  running++
  try {
    return await run()
  } finally {
    running--
    waiting.shift()?.()
  }
}

interface Outcome {
  readonly pool: ScriptedPool
  readonly text: string
  /** Milliseconds from the first connection to the fallback's first job; undefined if it never accepted a share. */
  readonly fallbackAfter: number | undefined
  readonly exitCode: number
  /** Shares that the miner knows to be accepted by the scripted pool. */
  readonly accepted: number
  /** Whether all that the scenario waits for came in time. */
  readonly isComplete: boolean
}

async function play(scenario: Scenario): Promise<Outcome> {
  const { script, title, env = {}, alone = false } = scenario
  const limitMs = scenario.slow ? SLOW_LIMIT_MS : LIMIT_MS
  const pool = await startScriptedPool(script, title)
  const good = await startPool({
    address: "127.0.0.1",
    port: 0,
    difficulty: DIFFICULTY,
    intervalMs: 0,
    clock,
    onEvent() {},
  })
  const [first, second] = [pool.port, good.port].map(port => `stratum+tcp://127.0.0.1:${port}`)
  const settings = ["--login=a.b", "--cpu-workers=1", "--gpu-devices=0", "--engine=wasm", "--password=secret"]
  const miner = new MinerProcess(["serve", "--url", alone ? first! : `${first},${second}`, ...settings], {
    // As a variable, which versions that do not know it ignore.
    env: { MINER_FAILOVER_PATIENCE: "3", ...env },
    program: [program],
  })
  try {
    const from = performance.now()
    const start = () => miner.lines.find(({ text }) => /connected to|next attempt/.test(text))?.at ?? performance.now()
    // The time to its first share depends on luck and load.
    const fallbackAt = () =>
      miner.lines.some(({ text }) => text.includes(`was accepted by ${second}`))
        ? miner.lines.find(({ text }) => text.includes(` of ${second}, difficulty`))?.at
        : undefined
    const lasted = () => performance.now() - start() >= (scenario.lastsMs ?? 0)
    const isComplete = () => {
      const { shares = 0, fallbackWithin, ends, resent = false } = scenario
      const hasEnded = ends === undefined || miner.lines.some(({ text }) => ends.test(text))
      const came = pool.shares.filter(({ counts }) => counts).length >= shares
      const again = !resent || pool.shares.length > new Set(pool.shares.map(({ nonce }) => nonce)).size
      return hasEnded && came && again && lasted() && (fallbackWithin === undefined || fallbackAt() !== undefined)
    }
    let exited: number | undefined
    void miner.exited.then(code => (exited = code))
    while (!isComplete() && exited === undefined && performance.now() - from < limitMs) await Bun.sleep(50)
    const complete = isComplete()
    // What was found is sent and answered first.
    pool.rest()
    const until = performance.now() + REST_LIMIT_MS
    const known = () => miner.lines.filter(({ text }) => text.includes(`was accepted by ${first}`)).length
    for (let shares = -1; shares !== pool.shares.length; await Bun.sleep(400)) {
      expect(performance.now(), "shares come although the job was withdrawn").toBeLessThan(until)
      shares = pool.shares.length
    }
    miner.kill("SIGTERM")
    const exitCode = await miner.exited
    await miner.ended
    const accepted = known()
    const at = fallbackAt()
    return {
      ...{ pool, text: miner.text, exitCode, accepted, isComplete: complete },
      fallbackAfter: at === undefined ? undefined : at - start(),
    }
  } finally {
    miner.kill("SIGKILL")
    pool.close()
    await good.close()
  }
}

/** What happened, in a line for the table. */
function describeOutcome({ pool, fallbackAfter, accepted, exitCode }: Outcome): string {
  const shares = `${pool.shares.length} shares, ${pool.counted} counted, ${accepted} known to the miner`
  const fallback = fallbackAfter === undefined ? "no fallback" : `fallback after ${(fallbackAfter / 1000).toFixed(1)} s`
  const parts = [`${pool.logins} logins`, shares, `${pool.doubles} double`, fallback]
  return [...parts, ...(exitCode === 0 ? [] : [`exit code ${exitCode}`])].join("; ")
}

function judge(scenario: Scenario, outcome: Outcome): void {
  const { pool, text, fallbackAfter, accepted } = outcome
  const { logins, fallbackWithin, says = [], neverSays, jobId, session, keepalives } = scenario
  const shown = `${describeOutcome(outcome)}\n${text}`
  expect(outcome.isComplete, shown).toBe(true)
  expect(outcome.exitCode, shown).toBe(0)
  if (fallbackWithin !== undefined) expect(fallbackAfter, shown).toBeLessThan(fallbackWithin)
  if (logins) expect(pool.logins, shown).toBeWithin(logins.min ?? 1, logins.max + 1)
  for (const line of says) expect(text).toMatch(line)
  if (neverSays) expect(text).not.toMatch(neverSays)
  if (jobId !== undefined) expect(pool.shares[0]!.jobId).toBe(jobId)
  if (session !== undefined) expect(pool.shares[0]!.session).toBe(session)
  if (keepalives !== undefined) expect(pool.keepalives, shown).toBe(keepalives)
  expect(
    pool.shares.filter(({ valid }) => !valid),
    shown,
  ).toEqual([])
  expect(pool.doubles, shown).toBe(0)
  expect(accepted, shown).toBe(pool.counted)
  expect(text).not.toContain("secret")
}

describe("pools", () => {
  const longestFirst = SCENARIOS.toSorted((a, b) => Number(b.slow ?? false) - Number(a.slow ?? false))
  test.concurrent.each(longestFirst.map(scenario => [scenario.title, scenario] as const))(
    "%s",
    async (title, scenario) => {
      const outcome = await (scenario.slow ? play(scenario) : inTurn(() => play(scenario)))
      figure(`pool: ${title}`, describeOutcome(outcome))
      judge(scenario, outcome)
    },
    600_000,
  )
})
