/** NVML's thread, with cards that a test makes hang. */
import { expect, test } from "bun:test"
import { systemClock } from "../../src/clock.ts"
import { nvmlThread } from "../../src/host/nvml/thread.ts"
import { FakeClock } from "../support/fake-clock.ts"

const entry = new URL("./nvml-worker.ts", import.meta.url)

test("answers for each card", async () => {
  const thread = nvmlThread(systemClock, entry)
  expect(await thread.read("a")).toEqual({ temperatureCelsius: 41 })
  expect(await thread.read("bb")).toEqual({ temperatureCelsius: 42 })
  thread.close()
  expect(await thread.read("a")).toBeUndefined()
})

test("a card that hangs keeps nobody waiting, and is asked again once it has answered", async () => {
  const clock = new FakeClock()
  const thread = nvmlThread(clock, entry)
  const hanging = thread.read("hangs")
  await clock.advance(2000)
  expect(await hanging).toBeUndefined()
  expect(await thread.read("a")).toBeUndefined()
  let reading = await thread.read("a")
  while (!reading) {
    await Bun.sleep(20)
    reading = await thread.read("a")
  }
  expect(reading).toEqual({ temperatureCelsius: 41 })
  thread.close()
})

test("has no readings without NVML", async () => {
  const thread = nvmlThread(systemClock)
  expect(await thread.read("0000:01:00.0")).toBeUndefined()
  thread.close()
})
