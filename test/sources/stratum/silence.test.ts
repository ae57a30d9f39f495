import { expect, test } from "bun:test"
import { SilenceWatch } from "../../../src/sources/stratum/silence.ts"
import { FakeClock } from "../../support/fake-clock.ts"

const STEP_MS = 100

/** Milliseconds of silence after these jobs until the pool counts as gone. */
async function patienceAfter(intervals: readonly number[], sendsShare = false): Promise<number> {
  const clock = new FakeClock()
  const silence = new SilenceWatch(clock)
  silence.heard()
  silence.jobArrived()
  for (const interval of intervals) {
    await clock.advance(interval)
    silence.heard()
    silence.jobArrived()
  }
  const from = clock.now()
  while (silence.problem(sendsShare ? from : undefined) === undefined) await clock.advance(STEP_MS)
  return clock.now() - from
}

const every = (ms: number, count = 3) => Array<number>(count).fill(ms)

test.each([
  ["ten mean job intervals", [10_000, 20_000, 30_000], 200_000],
  ["at least 60 s", every(500), 60_000],
  ["at most 5 min", every(40_000), 300_000],
  ["5 min after the first job", [], 300_000],
  ["5 min before three intervals were seen", every(1000, 2), 300_000],
  ["the mean of all intervals of the connection", [...every(1000, 9), 91_000], 100_000],
])("silence lasts %s", async (_what, intervals, patience) => {
  expect(await patienceAfter(intervals)).toBe(patience)
})

test("silence lasts 30 s after a share", async () => {
  expect(await patienceAfter(every(40_000), true)).toBe(30_000)
})
