import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { formatCount, formatDuration, formatRate } from "../../src/observe/units.ts"

describe("rates", () => {
  test.each([
    [undefined, "n/a"],
    [0, "0 H/s"],
    [999.4, "999 H/s"],
    [999.96, "1.000 kH/s"],
    [12_345, "12.35 kH/s"],
    [512_340, "512.3 kH/s"],
    [999_960, "1.000 MH/s"],
    [2_057_000, "2.057 MH/s"],
    [1.25e9, "1.250 GH/s"],
  ])("%p is %p", (rate, text) => expect(formatRate(rate)).toBe(text))

  test("never show 1000 of a unit if a larger unit exists", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e18, noNaN: true }), rate => {
        expect(Number.parseFloat(formatRate(rate))).toBeLessThan(1000)
        expect(formatRate(rate).length).toBeLessThanOrEqual("999.9 MH/s".length)
      }),
    )
  })
})

test("counts", () => {
  expect(formatCount(0)).toBe("0")
  expect(formatCount(999)).toBe("999")
  expect(formatCount(10_000_000_000)).toBe("10.00 G")
})

test("durations", () => {
  expect(formatDuration(0)).toBe("00:00:00")
  expect(formatDuration(3723.9)).toBe("01:02:03")
  expect(formatDuration(93_784)).toBe("1d 02:03:04")
})
