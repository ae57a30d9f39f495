import { expect, test } from "bun:test"
import { ageOf, difficultyOf, grouped, sealsOf, secondsOf } from "../../src/miner/phrases.ts"
import type { Job } from "../../src/sources/source.ts"

test("numbers", () => {
  expect([grouped(1234567n), sealsOf(0), sealsOf(1), sealsOf(1000)]).toEqual([
    "1,234,567",
    "0 seals",
    "1 seal",
    "1,000 seals",
  ])
  const difficulties = [1n, 10n ** 15n - 1n, 10n ** 15n, 2n ** 512n - 1n]
  expect(difficulties.map(difficulty => difficultyOf({ difficulty } as Job))).toEqual([
    "1",
    "999,999,999,999,999",
    "1.00e+15",
    "1.34e+154",
  ])
})

test("times", () => {
  expect([3, 1234, 12_340, 119_000, 200_000].map(ageOf)).toEqual([
    "0.00 s",
    "1.23 s",
    "12.3 s",
    "119.0 s",
    "3 min 20 s",
  ])
  expect([0, 1500, 30_000].map(secondsOf)).toEqual(["0 s", "1.5 s", "30 s"])
})
