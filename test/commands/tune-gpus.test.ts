/** Which build of a GPU is kept; the measurements are those that a test sets. */
import { expect, test } from "bun:test"
import { tuneGpu } from "../../src/commands/tune-gpus.ts"
import type { Build } from "../../src/engines/gpu/open-device.ts"
import { allBuildsFor, nameOfBuild, type Tried } from "../../src/engines/gpu/tuning.ts"
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
