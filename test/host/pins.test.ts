import { expect, test } from "bun:test"
import { pinsFor } from "../../src/host/pins.ts"
import { collectLog } from "../support/collect-log.ts"

const effective = [2, 0, 3]

test.each([
  ["auto", [2, 0, 3]],
  ["none", undefined],
  [
    [3, 0],
    [3, 0],
  ],
] as const)("%p is taken as it is", (asked, pins) => {
  const log = collectLog()
  expect(pinsFor({ asked, effective, log })).toEqual(pins && [...pins])
  expect(log.lines).toEqual([])
})

test("CPUs outside the effective ones are left out, and that is said", () => {
  const log = collectLog()
  const said = () => log.lines.pop()!.message
  expect(pinsFor({ asked: [5, 3, 4], effective, log })).toEqual([3])
  expect(said()).toBe(
    "--cpu-affinity 3-5 names CPUs that are not among the effective ones: 4-5; the workers are pinned to 3",
  )
  expect(pinsFor({ asked: [5], effective, log })).toBeUndefined()
  expect(said()).toBe(
    "--cpu-affinity 5 names CPUs that are not among the effective ones: 5; the workers are not pinned",
  )
})
