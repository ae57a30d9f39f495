import { expect, test } from "bun:test"
import { CpuPower, type PackageEnergy } from "../../src/observe/cpu-power.ts"
import { FakeClock } from "../support/fake-clock.ts"

test("power is the energy of all packages per second, across the end of a counter's range", async () => {
  const clock = new FakeClock()
  let counters: PackageEnergy[] = [
    { microjoules: 100, range: 200_000_000 },
    { microjoules: 190_000_000, range: 200_000_000 },
  ]
  const power = new CpuPower(clock, () => counters)
  expect(power.watts).toBeUndefined()
  await clock.advance(2000)
  counters = [
    { microjoules: 130_000_100, range: 200_000_000 },
    { microjoules: 60_000_000, range: 200_000_000 },
  ]
  power.sample()
  expect(power.watts).toBe(100)
  counters = []
  await clock.advance(1000)
  power.sample()
  expect(power.watts).toBeUndefined()
})
