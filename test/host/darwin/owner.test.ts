import { expect, test } from "bun:test"
import { idleSecondsIn, isOnBatteryIn } from "../../../src/host/darwin/owner.ts"

test("ioreg's idle time is in nanoseconds", () => {
  expect(idleSecondsIn('    | |   "HIDIdleTime" = 90500000000\n')).toBe(90.5)
  expect(idleSecondsIn("")).toBeUndefined()
})

test("pmset names the source of power", () => {
  const battery = " -InternalBattery-0 (id=4653155)\t81%; discharging; 4:10 remaining present: true\n"
  expect(isOnBatteryIn(`Now drawing from 'Battery Power'\n${battery}`)).toBe(true)
  expect(isOnBatteryIn(`Now drawing from 'AC Power'\n${battery}`)).toBe(false)
  expect(isOnBatteryIn("Now drawing from 'AC Power'\n")).toBeUndefined()
})
