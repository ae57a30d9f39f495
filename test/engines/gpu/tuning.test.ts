import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DeviceError } from "../../../src/engines/gpu/compute.ts"
import type { GpuDevice } from "../../../src/engines/gpu/device.ts"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import type { Build } from "../../../src/engines/gpu/open-device.ts"
import { loadTuning, saveTuning } from "../../../src/engines/gpu/stored-tuning.ts"
import {
  buildsFor,
  type DeviceAccess,
  fastest,
  measure,
  nameOfBuild,
  openStart,
  rowsFor,
  rowsOf,
  rowsOfLaunch,
  type Start,
  type Tried,
  type Tuning,
  tryBuild,
  tryBuilds,
  WrongDevice,
} from "../../../src/engines/gpu/tuning.ts"
import { DEVICE, fakeCompute } from "./fake-compute.ts"

test("a launch has the rows that fill its duration", () => {
  expect(rowsFor(1e9, 100)).toBe(390_625)
  expect(rowsFor(1000, 100)).toBe(1)
  expect(rowsFor(1e15, 100)).toBe(2 ** 23)
})

test("a batch is rounded to whole rows, at least one", () => {
  expect(rowsOf(1)).toBe(1)
  expect(rowsOf(2 ** 20)).toBe(4096)
  expect(rowsOf(2 ** 40)).toBe(2 ** 23)
})

const LAYOUT = { groupSize: 128, groups: 132 * 6 }

test("a batch is limited to one second", () => {
  expect(rowsOfLaunch(1e6, { batchSize: 2 ** 30, launchMs: 100 }, LAYOUT)).toBe(rowsFor(1e6, 1000))
  expect(rowsOfLaunch(1e9, { batchSize: 2 ** 20, launchMs: 100 }, LAYOUT)).toBe(4096)
})

test("a launch gives every thread the same number of nonces", () => {
  const rows = rowsOfLaunch(1e9, { batchSize: undefined, launchMs: 100 }, LAYOUT)
  expect(rows).toBe(986 * 396)
  expect((rows * 256) % (LAYOUT.groups * LAYOUT.groupSize)).toBe(0)
  expect(rowsOfLaunch(1e6, { batchSize: undefined, launchMs: 15 }, LAYOUT)).toBe(rowsFor(1e6, 15))
})

test("a rate is measured by the fastest of several launches of sufficient length", () => {
  let time = 0
  const compute = fakeCompute(() => false)
  const launch = compute.launch.bind(compute)
  compute.launch = (queue, kernel, groups, size, args) => {
    // 100,000 nonces per second, with occasional delays.
    if (kernel === "search") time += (args[2] as { u32: number }).u32 * 2.56 + (compute.launched.length % 4) * 100
    launch(queue, kernel, groups, size, args)
  }
  expect(measure(new DeviceSearch("opencl", compute), () => time)).toBeCloseTo(100_000)
})

const REFUSED = new DeviceError("clBuildProgram", "CL_BUILD_PROGRAM_FAILURE")

/** @param speed nonces per millisecond of a build and a number of groups; 0 rejects it, negative computes wrongly */
function deviceOf(speed: (build: Build, groups: number) => number, resident?: number) {
  let time = 0
  let measured = 0
  const open = new Set<unknown>()
  let opened: Build
  const access: DeviceAccess = {
    open(_device, build) {
      if (speed(build, 0) === 0) throw REFUSED
      const compute = fakeCompute(() => false)
      const close = compute.close.bind(compute)
      compute.residentGroups = () => resident
      open.add(compute)
      compute.launch = (_queue, kernel, groups, _size, args) => {
        if (kernel !== "search") return
        measured += 1
        time += ((args[2] as { u32: number }).u32 * 256) / speed(build, groups)
      }
      compute.close = () => {
        open.delete(compute)
        close()
      }
      opened = build
      return compute
    },
    test: ({ name }) => (speed(opened, 0) < 0 ? `${name} is wrong` : undefined),
  }
  return { access, open, now: () => time, measurements: () => measured }
}

describe("the builds of a device", () => {
  /** Reports as texts, and the measured tunings. */
  async function tried(speed: Parameters<typeof deviceOf>[0], resident?: number) {
    const { access, open, now } = deviceOf(speed, resident)
    const lines: string[] = []
    const tunings: Tuning[] = []
    const events = {
      begun: (build: Build) => lines.push(nameOfBuild(build)),
      proved: () => lines.push("proved"),
      tried(_build: Build, outcome: Tried) {
        if (outcome.kind === "right") tunings.push(outcome.tuning)
        lines.push(outcome.kind === "right" ? "measured" : `${outcome.kind}: ${outcome.why}`)
      },
    }
    await tryBuilds(DEVICE, buildsFor(DEVICE), events, { now, access })
    return { lines, tunings, open }
  }

  test("are measured one after the other with several numbers of groups, and closed", async () => {
    const { tunings, open } = await tried(({ groupSize, rolled }, groups) => (rolled ? 3e5 : 1e5) + groupSize + groups)
    expect(tunings.map(({ layout }) => layout.groups)).toEqual([512, 512, 512, 512])
    expect(fastest(tunings).layout).toEqual({ groupSize: 256, rolled: true, groups: 512 })
    expect(open.size).toBe(0)
  })

  test("are measured with multiples of the groups that the device holds at a time", async () => {
    const { tunings } = await tried((_build, groups) => 1e5 + (groups === 2 * 6 ? 1 : 0), 6)
    expect(tunings[0]!.layout.groups).toBe(12)
  })

  test("are left with the reason if the driver rejects them or they compute wrongly", async () => {
    const { lines, open } = await tried(({ groupSize, rolled }) => (groupSize === 256 ? 0 : rolled ? 1e5 : -1e6))
    expect(lines).toEqual([
      "rolled, groups of 64",
      "proved",
      "measured",
      "rolled, groups of 256",
      `refused: ${REFUSED.message}`,
      "rounds in a row, groups of 64",
      "wrong: opencl is wrong",
      "rounds in a row, groups of 256",
      `refused: ${REFUSED.message}`,
    ])
    expect(open.size).toBe(0)
  })
})

test("sensors are read while a device is busy", async () => {
  const { access, now, open } = deviceOf(() => 1e5)
  let queued = 0
  const counting: DeviceAccess = {
    test: access.test,
    open(device, build) {
      const compute = access.open(device, build)
      const { fence, wait } = compute
      compute.fence = queue => {
        queued += 1
        return fence.call(compute, queue)
      }
      compute.wait = of => {
        queued -= 1
        wait.call(compute, of)
      }
      return compute
    },
  }
  const read = async () => {
    await Promise.resolve()
    return queued
  }
  const tried = await tryBuild(DEVICE, { groupSize: 64 }, { now, read, access: counting })
  expect(tried).toMatchObject({ kind: "right", reading: 2 })
  expect([queued, open.size]).toEqual([0, 0])
})

describe("a device is opened", () => {
  const tuning: Tuning = { layout: { groupSize: 256, rolled: true, groups: 512 }, hashesPerSecond: 1e8 }
  const opened = (speed: Parameters<typeof deviceOf>[0], start: Start) => {
    const { access, open, now, measurements } = deviceOf(speed)
    const lines: string[] = []
    const run = () => openStart(DEVICE, start, { now, progress: line => lines.push(line) }, access).tuning
    return { run, open, lines, measurements }
  }

  test("with a tuning, which is not measured again", () => {
    const { run, open, measurements } = opened(() => 1e5, { kind: "tuned", tuning })
    expect(run()).toEqual(tuning)
    expect([open.size, measurements()]).toEqual([1, 0])
  })

  test("with a build whose rate is measured", () => {
    const { run, open } = opened(() => 1e5, { kind: "default", build: { groupSize: 64 } })
    expect(run()).toEqual({ layout: { groupSize: 64, groups: 2 * 16 * 4 }, hashesPerSecond: expect.closeTo(1e8) })
    expect(open.size).toBe(1)
  })

  test("with its first build if a tuning no longer works", () => {
    const { run, lines } = opened(({ groupSize }) => (groupSize === 256 ? 0 : 1e5), { kind: "tuned", tuning })
    expect(run().layout).toMatchObject({ groupSize: 64, rolled: true })
    expect(lines).toEqual([
      `rolled, groups of 256 no longer works: ${REFUSED.message}; rolled, groups of 64 is used, --recalibrate tunes again`,
    ])
  })

  test("or its error is reported, and nothing stays open", () => {
    expect(opened(() => 0, { kind: "tuned", tuning }).run).toThrow(REFUSED)
    const wrong = opened(() => -1, { kind: "tuned", tuning })
    expect(wrong.run).toThrow(new WrongDevice("opencl is wrong"))
    expect(wrong.open.size).toBe(0)
  })
})

test("a tuning is stored for this card and driver", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "tuning-"))
  const store = { stateDir, version: "1" }
  const tuning: Tuning = { layout: { groupSize: 64, groups: 32 }, hashesPerSecond: 1e6 }
  const whys: string[] = []
  const load = (device: GpuDevice, version = "1") => loadTuning(device, { stateDir, version }, why => whys.push(why))
  expect(load(DEVICE)).toBeUndefined()
  saveTuning(DEVICE, store, tuning)
  expect(load(DEVICE)).toEqual(tuning)
  expect(whys).toEqual([])
  expect(load({ ...DEVICE, driver: "OpenCL 1.2, driver 2" })).toBeUndefined()
  expect(load(DEVICE, "2")).toBeUndefined()
  expect(whys.length).toBe(2)
  expect(load({ ...DEVICE, pci: "0000:02:00.0" })).toBeUndefined()
  rmSync(stateDir, { recursive: true })
})
