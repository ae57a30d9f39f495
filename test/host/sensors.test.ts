import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hwmonSensors } from "../../src/host/linux/hwmon-sensors.ts"
import { type NvmlFunctions, nvmlSensors } from "../../src/host/nvml/sensors.ts"
import type { SensorSource } from "../../src/host/sensor-source.ts"
import { watchSensors } from "../../src/host/sensors.ts"
import { FakeClock } from "../support/fake-clock.ts"

const root = mkdtempSync(join(tmpdir(), "sensors-"))
afterAll(() => rmSync(root, { recursive: true }))

function hwmon(pci: string, files: Readonly<Record<string, string>>): void {
  const directory = join(root, "sys/bus/pci/devices", pci, "hwmon/hwmon7")
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), `${text}\n`)
}

test("reads the sensors of amdgpu by PCI address", async () => {
  hwmon("0000:03:00.0", {
    temp1_input: "61000",
    pwm1: "102",
    power1_average: "213000000",
    freq1_input: "2482000000",
    freq2_input: "1249000000",
  })
  expect(await hwmonSensors(root).read("0000:03:00.0")).toEqual({
    temperatureCelsius: 61,
    fanPercent: 40,
    powerWatts: 213,
    clockHertz: 2_482_000_000,
    memoryClockHertz: 1_249_000_000,
  })
})

test("values that a device does not report are undefined", async () => {
  hwmon("0000:04:00.0", { temp1_input: "45000", power1_input: "9500000", freq1_input: "" })
  expect(await hwmonSensors(root).read("0000:04:00.0")).toEqual({
    temperatureCelsius: 45,
    fanPercent: undefined,
    powerWatts: 9.5,
    clockHertz: undefined,
    memoryClockHertz: undefined,
  })
  expect(await hwmonSensors(root).read("0000:09:00.0")).toBeUndefined()
})

/** NVML with one device without a fan. */
function fakeNvml(status = 0) {
  const calls: string[] = []
  const answer = (name: string, value: number) => (into: unknown) => {
    calls.push(name)
    ;(into as Uint32Array)[0] = value
    return 0
  }
  const functions = {
    nvmlInit_v2: () => status,
    nvmlShutdown: () => calls.push("shutdown"),
    nvmlDeviceGetHandleByPciBusId_v2(name: Uint8Array, into: BigUint64Array) {
      into[0] = 5n
      return new TextDecoder().decode(name) === "0000:01:00.0\0" ? 0 : 6
    },
    nvmlDeviceGetTemperature: (_device: bigint, _sensor: number, into: unknown) => answer("temperature", 70)(into),
    nvmlDeviceGetFanSpeed: () => 3,
    nvmlDeviceGetPowerUsage: (_device: bigint, into: unknown) => answer("power", 320_500)(into),
    nvmlDeviceGetClockInfo: (_device: bigint, clock: number, into: unknown) =>
      answer("clock", clock === 0 ? 2520 : 10_501)(into),
  }
  return { functions: functions as unknown as NvmlFunctions, calls }
}

test("reads NVML's sensors by PCI address", async () => {
  const { functions, calls } = fakeNvml()
  const sensors = nvmlSensors(functions)!
  expect(await sensors.read("0000:01:00.0")).toEqual({
    temperatureCelsius: 70,
    fanPercent: undefined,
    powerWatts: 320.5,
    clockHertz: 2_520_000_000,
    memoryClockHertz: 10_501_000_000,
  })
  expect(await sensors.read("0000:02:00.0")).toBeUndefined()
  sensors.close()
  expect(calls.at(-1)).toBe("shutdown")
})

test("has no NVML where the driver does not start", () => {
  expect(nvmlSensors(fakeNvml(9).functions)).toBeUndefined()
})

test("keeps the last reading of each device, and asks again every five seconds", async () => {
  const clock = new FakeClock()
  let temperature = 50
  let closed = false
  const source: SensorSource = {
    read: async pci => (pci === "a" ? { temperatureCelsius: temperature } : undefined),
    close() {
      closed = true
    },
  }
  const watch = watchSensors(["a", "b"], [source], clock)
  await clock.advance(0)
  expect(watch.of("a")).toEqual({ temperatureCelsius: 50 })
  expect(watch.of("b")).toBeUndefined()
  temperature = 60
  await clock.advance(5000)
  expect(watch.of("a")).toEqual({ temperatureCelsius: 60 })
  watch.stop()
  expect(closed).toBe(true)
})
