/** Which GPUs a command opens, and what it logs about the others. */
import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openGpus } from "../../src/commands/gpus.ts"
import type { HashingSettings } from "../../src/config/options.ts"
import type { FoundDevices } from "../../src/engines/gpu/find-devices.ts"
import { loadTuning } from "../../src/engines/gpu/stored-tuning.ts"
import type { Knob } from "../../src/host/gpu-settings.ts"
import { version } from "../../src/version.ts"
import { DEVICE } from "../engines/gpu/fake-compute.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock, settle } from "../support/fake-clock.ts"

function opened(gpuDevices: HashingSettings["gpuDevices"], found: FoundDevices) {
  const log = collectLog()
  const settings = { gpuDevices, allowIntegrated: false } as HashingSettings
  const find = () => Promise.resolve(found)
  const open = () => openGpus({ settings, stateDir: undefined, clock: new FakeClock(), log, find })
  return { open, lines: () => log.texts }
}

test("a failed driver causes warnings and costs its GPUs only, even if they were requested", async () => {
  const failure = "no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
  const { open, lines } = opened(
    { kind: "count", count: 1 },
    { devices: [], missing: [failure], failures: [failure], notes: [] },
  )
  expect((await open()).engines).toEqual([])
  expect(lines()).toEqual([
    `warn GPUs of a failed driver are not used: ${failure}`,
    'warn --gpu-devices 1 exceeds the number of GPUs (0); run "quantus-miner devices" to list them: no GPU is used',
  ])
})

test("the absence of a requested GPU causes a warning and an error", async () => {
  const found: FoundDevices = { devices: [], missing: ["there is no libcuda.so.1"], failures: [], notes: [] }
  const { open, lines } = opened({ kind: "list", devices: [0] }, found)
  expect(open()).rejects.toThrow("no GPU matches 0")
  await settle()
  expect(lines()).toEqual(["warn no GPU found: there is no libcuda.so.1"])
})

test("equal GPUs are tuned once, and those of a driver that crashes are refused with the reason", async () => {
  const devices = [1, 2].map(i => ({ device: { ...DEVICE, index: i, pci: `0000:0${i}:00.0` }, other: undefined }))
  const settings = { gpuDevices: { kind: "all" }, allowIntegrated: true } as HashingSettings
  const tuned: string[] = []
  const gpus = await openGpus({
    settings: { ...settings, gpuDevices: { kind: "count", count: 2 } },
    stateDir: undefined,
    clock: new FakeClock(),
    log: collectLog(),
    find: () => Promise.resolve({ devices, missing: [], failures: [], notes: [] }),
    tune: device => {
      tuned.push(device.name)
      return Promise.resolve({ kind: "unusable", why: "the driver crashed (SIGSEGV)" })
    },
  })
  const events = { candidate() {}, exhausted() {}, switched() {}, restarted() {}, failed() {} }
  for (const engine of gpus.engines) expect(engine.start(events)).rejects.toThrow("the driver crashed (SIGSEGV)")
  await Promise.allSettled(gpus.engines.map(engine => engine.start(events)))
  expect(tuned).toEqual([DEVICE.name])
  await Promise.all(gpus.engines.map(engine => engine.close()))
})

test("a tuning is stored for every equal GPU, and not made again unless --recalibrate asks for it", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "gpus-"))
  const devices = [1, 2].map(i => ({ ...DEVICE, index: i, uuid: `card-${i}` }))
  const tuning = { layout: { groupSize: 64, groups: 32 }, hashesPerSecond: 1e6 }
  let tunings = 0
  let starts = 0
  const start = async (recalibrate: boolean) => {
    starts += 1
    // A process keeps its locks, which are those of addresses.
    const addressOf = (i: number) => `0000:e${starts}:0${i}.0`
    const gpus = await openGpus({
      settings: { gpuDevices: { kind: "count", count: 2 }, allowIntegrated: true, recalibrate } as HashingSettings,
      stateDir,
      clock: new FakeClock(),
      log: collectLog(),
      find: () =>
        Promise.resolve({
          devices: devices.map((device, i) => ({ device: { ...device, pci: addressOf(i) }, other: undefined })),
          missing: [],
          failures: [],
          notes: [],
        }),
      tune: () => {
        tunings += 1
        return Promise.resolve({ kind: "tuned", tuning })
      },
    })
    const events = { candidate() {}, exhausted() {}, switched() {}, restarted() {}, failed() {} }
    // The GPUs do not exist.
    await Promise.allSettled(gpus.engines.map(engine => engine.start(events)))
    await Promise.all(gpus.engines.map(engine => engine.close()))
    return tunings
  }
  expect(await start(false)).toBe(1)
  for (const device of devices) expect(loadTuning(device, { stateDir, version })).toEqual(tuning)
  expect(await start(false)).toBe(1)
  expect(await start(true)).toBe(2)
  rmSync(stateDir, { recursive: true })
})

const one = (pci: string): FoundDevices => ({
  devices: [{ device: { ...DEVICE, pci }, other: undefined }],
  missing: [],
  failures: [],
  notes: [],
})

test("a GPU above --gpu-temp-limit is paused until it is five degrees cooler", async () => {
  const clock = new FakeClock()
  const log = collectLog()
  let celsius = 83
  const gpus = await openGpus({
    settings: {
      gpuDevices: { kind: "count", count: 1 },
      allowIntegrated: true,
      gpuTempLimit: 83,
    } as unknown as HashingSettings,
    stateDir: undefined,
    clock,
    log,
    find: () => Promise.resolve(one("0000:f1:00.0")),
    openSensors: () => [{ read: () => Promise.resolve({ temperatureCelsius: celsius }), close() {} }],
  })
  const paused = async (now: number) => {
    celsius = now
    // Sensors are read every five seconds.
    for (let i = 0; i < 6; i++) {
      clock.advance(1000)
      await settle()
    }
    return gpus.details("opencl/0")?.pausedFor
  }
  expect(await paused(83)).toBeUndefined()
  expect(await paused(84)).toBe("temperature")
  expect(await paused(79)).toBe("temperature")
  expect(await paused(78)).toBeUndefined()
  expect(log.texts.slice(-2)).toEqual([
    "warn opencl/0 is paused: 84 °C exceeds --gpu-temp-limit 83",
    "info opencl/0 resumes at 78 °C",
  ])
})

test("settings are applied by GPU, and a list longer than the GPUs is refused", async () => {
  const written: string[] = []
  const knob = (pci: string, setting: string): Knob => ({
    min: 100,
    max: 3000,
    unset: "none",
    read: () => undefined,
    stateOf: String,
    write: state => void written.push(`${pci} ${setting} ${state}`),
  })
  // A GPU stays locked until the process ends.
  let cards = 0
  const open = (settings: object) =>
    openGpus({
      settings: {
        gpuDevices: { kind: "count", count: 1 },
        allowIntegrated: true,
        ...settings,
      } as unknown as HashingSettings,
      stateDir: undefined,
      clock: new FakeClock(),
      log: collectLog(),
      find: () => Promise.resolve(one(`0000:f${++cards}:01.0`)),
      knobs: () => [{ knob }],
      openSensors: () => [],
    })
  await open({ gpuPowerLimit: 200, gpuMemoryClock: [810] })
  expect(written).toEqual(["0000:f1:01.0 powerLimit 200", "0000:f1:01.0 memoryClock 810"])
  await expect(open({ gpuCoreClock: [undefined, 1500] })).rejects.toMatchObject({
    message: "--gpu-core-clock lists 2 values for 1 GPUs",
    exitCode: 78,
  })
  await expect(open({ gpuPowerLimit: 5000 })).rejects.toMatchObject({ exitCode: 78 })
})
