/** Which build of a GPU is kept; the measurements are those that a test sets. */
import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TuneGpusAccess, tuneGpu, tuneSelected } from "../../src/commands/tune-gpus.ts"
import type { GpuDevice } from "../../src/engines/gpu/device.ts"
import type { Build } from "../../src/engines/gpu/open-device.ts"
import { loadTuning } from "../../src/engines/gpu/stored-tuning.ts"
import { allBuildsFor, nameOfBuild, type Tried } from "../../src/engines/gpu/tuning.ts"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { version } from "../../src/version.ts"
import { DEVICE } from "../engines/gpu/fake-compute.ts"
import { collectLog } from "../support/collect-log.ts"

const right = (build: Build, hashesPerSecond: number, reading?: number): Tried<number | undefined> => ({
  kind: "right",
  tuning: { layout: { ...build, groups: 8 }, hashesPerSecond },
  registers: undefined,
  reading,
})

test("every form, register limit and group size of an NVIDIA card is tried once, the usual ones first", () => {
  const names = allBuildsFor({ ...DEVICE, api: "cuda", architecture: "sm_89" }).map(nameOfBuild)
  expect(names[0]).toBe("pairs, rolled, 76 registers, groups of 128")
  expect(names.length).toBe(3 * 6 * 3 * 2)
  expect(new Set(names).size).toBe(names.length)
})

test("the fastest build is kept, and compared with the usual one", async () => {
  const log = collectLog()
  const outcome = await tuneGpu({
    device: DEVICE,
    log,
    async tryAll(builds, tried) {
      for (const build of builds) {
        if (build.groupSize === 256) tried(build, { kind: "refused", why: "CL_BUILD_PROGRAM_FAILURE" })
        else tried(build, right(build, build.rolled ? 100e6 : build.groupSize === 128 ? 125e6 : 110e6, 200))
      }
    },
  })
  expect(outcome).toMatchObject({
    best: { tuning: { layout: { groupSize: 128, rolled: false }, hashesPerSecond: 125e6 }, watts: 200 },
    usual: { tuning: { layout: { groupSize: 64, rolled: true }, hashesPerSecond: 100e6 } },
    tried: 6,
  })
  expect(log.texts[0]).toBe("info Pretended device: 6 builds are compiled, tested and measured")
  expect(log.texts[1]).toBe(
    "info Pretended device, 1 of 6: rolled, groups of 64: 100.0 MH/s at 200 W, the fastest so far",
  )
  expect(log.texts[2]).toBe("warn Pretended device, 2 of 6: rolled, groups of 256 is refused: CL_BUILD_PROGRAM_FAILURE")
})

test("what was found until a signal is kept", async () => {
  const outcome = await tuneGpu({
    device: DEVICE,
    log: collectLog(),
    tryAll: async ([build], tried) => tried(build!, right(build!, 1e6)),
  })
  expect(outcome?.tried).toBe(1)
})

const SETTINGS = { gpuDevices: { kind: "all" }, allowIntegrated: false, json: true } as const

/** Runs the command on two devices, of which the second is in use. */
async function tuneTwo(settings: { json: boolean }, stateDir?: string, access: Partial<TuneGpusAccess> = {}) {
  const [log, printed] = [collectLog(), [] as string[]]
  const busy: GpuDevice = { ...DEVICE, index: 1, name: "Busy device", pci: "0000:02:00.0" }
  await tuneSelected({ ...SETTINGS, ...settings }, stateDir, {
    log,
    print: text => void printed.push(text),
    find: async () => ({ devices: [DEVICE, busy].map(device => ({ device, other: undefined })), missing: [] }),
    isStopped: () => false,
    lock: ({ name }) => (name === busy.name ? { kind: "taken", process: "7" } : { kind: "unlockable" }),
    async tryAll(_device, builds, tried) {
      for (const [i, build] of builds.entries())
        tried(build, right(build, i === 1 ? 125e6 : 100e6, i === 1 ? 200 : undefined))
    },
    ...access,
  })
  return { lines: log.texts, printed }
}

test("--json prints one object with an entry for each GPU that was tuned, and stores its build", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "tune-gpus-"))
  try {
    const { lines, printed } = await tuneTwo({ json: true }, stateDir)
    expect(printed).toHaveLength(1)
    const layout = { ...allBuildsFor(DEVICE)[1]!, groups: 8 }
    expect(JSON.parse(printed[0]!)).toEqual({
      gpus: [
        {
          name: "Pretended device",
          pci_address: "0000:01:00.0",
          driver: "OpenCL 1.2",
          tried: 6,
          hashes_per_second: 125e6,
          watts: 200,
          gain: 1.25,
          layout,
          stored: true,
        },
      ],
    })
    expect(lines).toContain("warn Busy device is left out: process 7 uses it")
    expect(loadTuning(DEVICE, { stateDir, version })).toEqual({ layout, hashesPerSecond: 125e6 })
  } finally {
    rmSync(stateDir, { recursive: true })
  }
})

test("without a build that works it ends with 75", async () => {
  const error = await tuneTwo({ json: true }, undefined, { tryAll: async () => {} }).catch(thrown => thrown)
  expect(error).toEqual(new OperatorError("no GPU could be tuned: see the warnings", ExitCode.lost))
  const stopped = await tuneTwo({ json: true }, undefined, { tryAll: async () => {}, isStopped: () => true })
  expect(stopped.printed.map(text => JSON.parse(text))).toEqual([{ gpus: [] }])
})

test("--json has null for what is unknown", async () => {
  const found = await tuneTwo({ json: true }, undefined, {
    find: async () => ({ devices: [{ device: { ...DEVICE, pci: undefined }, other: undefined }], missing: [] }),
    tryAll: async (_device, [build], tried) => tried(build!, right(build!, 1e6)),
  })
  expect(JSON.parse(found.printed[0]!).gpus[0]).toMatchObject({ pci_address: null, watts: null, gain: 1 })
})

test("without --json each GPU is a line", async () => {
  const { lines, printed } = await tuneTwo({ json: false })
  expect(printed).toEqual([
    expect.stringMatching(
      /^Pretended device: 125\.0 MH\/s at 200 W with .*, \+25\.0 % over 100\.0 MH\/s after 6 builds; not stored$/,
    ),
  ])
  expect(lines[0]).toBe("warn no state directory: the result is printed and not stored")
})
