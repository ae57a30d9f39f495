import { describe, expect, test } from "bun:test"
import { HISTORY_STEP_MS, History } from "../../src/observe/history.ts"

function filled(samples: number, rate: (sample: number) => number | undefined): History {
  const history = new History()
  for (let sample = 0; sample < samples; sample++) history.add(rate(sample))
  return history
}

describe("history", () => {
  test("returns all samples, oldest first", () => {
    expect(filled(3, sample => sample).series(900, 360)).toEqual({ stepSeconds: 5, rates: [0, 1, 2] })
    expect(new History().series(900, 360).rates).toEqual([])
  })

  test("distinguishes unknown from zero", () => {
    expect(filled(3, sample => (sample === 0 ? undefined : 0)).series(900, 360).rates).toEqual([null, 0, 0])
  })

  test("averages known samples down to the requested number of points", () => {
    const history = filled(720, sample => (sample % 2 === 0 ? undefined : sample))
    const { stepSeconds, rates } = history.series(3600, 180)
    expect(stepSeconds).toBe(20)
    expect(rates).toHaveLength(180)
    expect(rates[0]).toBe(2)
    expect(rates.at(-1)).toBe(718)
  })

  test("drops samples older than a day", () => {
    const day = (24 * 3600 * 1000) / HISTORY_STEP_MS
    const { rates } = filled(day + 10, sample => (sample < 10 ? 1e9 : 1)).series(24 * 3600, day)
    expect(rates).toHaveLength(day)
    expect(Math.max(...rates.map(Number))).toBe(1)
  })
})
