import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DeviceError } from "../../../src/engines/gpu/compute.ts"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import type { Build } from "../../../src/engines/gpu/open-device.ts"
import { measure, openTuned, rowsFor, rowsOf, rowsOfLaunch, WrongDevice } from "../../../src/engines/gpu/tuning.ts"
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

describe("a layout", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "tuning-"))
  afterAll(() => rmSync(stateDir, { recursive: true }))
  const refused = new DeviceError("clBuildProgram", "CL_BUILD_PROGRAM_FAILURE")

  /** @param speed nonces per millisecond of a build and a number of groups; 0 rejects it, negative computes wrongly */
  function tuned(
    speed: (build: Build, groups: number) => number,
    { driver = DEVICE.driver, dir = "", resident = undefined as number | undefined, compileMs = 0 } = {},
  ) {
    let time = 0
    const lines: string[] = []
    let measured = 0
    const open = new Set<unknown>()
    let opened: Build
    const tune = () =>
      openTuned(
        { ...DEVICE, driver },
        {
          stateDir: dir || undefined,
          version: "1",
          recalibrate: false,
          now: () => time,
          progress: line => lines.push(line),
        },
        {
          open(_device, build) {
            time += compileMs
            if (speed(build, 0) === 0) throw refused
            const compute = fakeCompute(() => false)
            const close = compute.close.bind(compute)
            compute.residentGroups = () => resident as undefined
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
        },
      )
    return { tune, open, lines, measurements: () => measured }
  }

  test("is chosen if its build and its number of groups are the fastest", () => {
    const { tune, open } = tuned(({ groupSize, rolled }, groups) => (rolled ? 3e5 : 1e5) + groupSize + groups)
    const { tuning } = tune()
    expect(tuning.layout).toEqual({ groupSize: 256, rolled: true, groups: 512 })
    expect(open.size).toBe(1)
  })

  test("has a multiple of the groups that the device holds at a time", () => {
    const { tune } = tuned((_build, groups) => 1e5 + (groups === 2 * 6 ? 1 : 0), { resident: 6 })
    expect(tune().tuning.layout.groups).toBe(12)
  })

  test("is chosen among those measured within the budget, and every step is reported", () => {
    const { tune, lines } = tuned(({ rolled }) => (rolled ? 1e5 : 1e6), { compileMs: 30_000 })
    expect(tune().tuning.layout).toMatchObject({ rolled: true })
    expect(lines).toEqual([
      "measuring build 1 of 4: rolled, groups of 64",
      "measuring build 2 of 4: rolled, groups of 256",
      "2 of 4 builds are left out: the others took too long",
      expect.stringMatching(/^the fastest is rolled, groups of \d+, \d+ groups$/),
    ])
  })

  test("is skipped if the driver rejects it or it computes wrongly", () => {
    const { tune, open } = tuned(({ groupSize, rolled }) => (groupSize === 256 ? 0 : rolled ? 1e5 : -1e6))
    expect(tune().tuning.layout).toMatchObject({ groupSize: 64, rolled: true })
    expect(open.size).toBe(1)
  })

  test("has its error reported if no layout works", () => {
    expect(tuned(() => 0).tune).toThrow(refused)
    const wrong = tuned(() => -1)
    expect(wrong.tune).toThrow(new WrongDevice("opencl is wrong"))
    expect(wrong.open.size).toBe(0)
  })

  test("is stored for this driver, and measured again if it no longer works", () => {
    const first = tuned(() => 1e5, { dir: stateDir })
    const { layout } = first.tune().tuning
    const second = tuned(() => 1e5, { dir: stateDir })
    expect(second.tune().tuning.layout).toEqual(layout)
    expect(second.measurements()).toBe(0)
    const updated = tuned(() => 1e5, { dir: stateDir, driver: "OpenCL 1.2, driver 2" })
    updated.tune()
    expect(updated.measurements()).toBeGreaterThan(0)
    const unusable = tuned(({ groupSize }) => (groupSize === layout.groupSize ? 0 : 1e5), {
      dir: stateDir,
      driver: "OpenCL 1.2, driver 2",
    })
    expect(unusable.tune().tuning.layout.groupSize).not.toBe(layout.groupSize)
  })
})
