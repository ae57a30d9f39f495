import { expect, test } from "bun:test"
import { pauseTriggers } from "../../src/commands/pause-triggers.ts"
import { parseSchedule } from "../../src/pausing/schedule.ts"
import { aboveTemperature, onBattery, outsideSchedule, watchTriggers, whileActive } from "../../src/pausing/triggers.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"

test("a CPU above its limit pauses until it is five degrees cooler", () => {
  let celsius: number | undefined = 85
  const trigger = aboveTemperature(85, () => celsius)
  const at = (value: number | undefined) => {
    celsius = value
    return trigger.check()
  }
  expect(at(85)).toBe(false)
  expect(at(86)).toBe(true)
  expect(at(81)).toBe(true)
  expect(at(undefined)).toBeUndefined()
  expect(at(80)).toBe(false)
  expect(at(84)).toBe(false)
})

test("an active user pauses until the time has passed without input", async () => {
  let idle: number | undefined = 0
  const trigger = whileActive(60, async () => idle)
  expect(await trigger.check()).toBe(true)
  idle = 60
  expect(await trigger.check()).toBe(false)
  idle = undefined
  expect(await trigger.check()).toBeUndefined()
})

test("a schedule pauses outside its windows", () => {
  let now = new Date(2026, 0, 5, 12, 0)
  const trigger = outsideSchedule(parseSchedule("Mon-Fri 19:00-07:00"), () => now)
  expect(trigger.check()).toBe(true)
  now = new Date(2026, 0, 5, 19, 0)
  expect(trigger.check()).toBe(false)
})

test("triggers are checked at once and every second; an unknown state changes nothing", async () => {
  const clock = new FakeClock()
  const states: (boolean | undefined)[] = [true, undefined, false]
  const seen: boolean[] = []
  const stop = watchTriggers([onBattery(async () => states.shift())], clock, (_, paused) => void seen.push(paused))
  await clock.advance(0)
  expect(seen).toEqual([true])
  await clock.advance(2000)
  expect(seen).toEqual([true, false])
  stop()
  states.push(true)
  await clock.advance(5000)
  expect(seen).toEqual([true, false])
})

const settings = { schedule: undefined, pauseOnBattery: false, pauseOnActive: undefined, cpuTempLimit: undefined }
const nothing = {
  isOnBattery: async () => undefined,
  idleSeconds: async () => undefined,
  cpuTemperature: () => undefined,
}

test("a system that does not report what an option needs is a configuration error", async () => {
  for (const wanted of [{ pauseOnActive: 60 }, { cpuTempLimit: 85 }]) {
    await expect(pauseTriggers({ ...settings, ...wanted }, nothing, collectLog())).rejects.toMatchObject({
      exitCode: 78,
    })
  }
})

test("a machine without a battery mines, and the log says so", async () => {
  const log = collectLog()
  expect(await pauseTriggers({ ...settings, pauseOnBattery: true }, nothing, log)).toEqual([])
  expect(log.lines[0]?.message).toBe("--pause-on-battery: this machine has no battery")
})
