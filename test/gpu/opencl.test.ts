/** Whole searches on every OpenCL device of the host, including the processor if PoCL lists it. */
import { describe, expect, test } from "bun:test"
import { systemClock as clock } from "../../src/clock.ts"
import type { Candidate, Work } from "../../src/engines/engine.ts"
import { DeviceSearch } from "../../src/engines/gpu/device-search.ts"
import { testDevice } from "../../src/engines/gpu/device-test.ts"
import { tuneApart } from "../../src/engines/gpu/driver-process.ts"
import { createGpuEngine } from "../../src/engines/gpu/gpu-engine.ts"
import { openOpenClCompute } from "../../src/engines/gpu/opencl/compute.ts"
import { openClDevices } from "../../src/engines/gpu/opencl/devices.ts"
import { DEVICE_KERNELS } from "../../src/kernel/device-program.ts"
import { renderOpenCl } from "../../src/kernel/opencl/opencl-program.ts"
import type { Log } from "../../src/log.ts"
import { targetOf, verifySeal } from "../../src/pow/target.ts"
import { bytesToInteger } from "../../src/pow/u512.ts"
import { openClProcessor } from "../support/opencl.ts"

const processor = openClProcessor()

describe("OpenCL", () => {
  if (typeof processor === "string") {
    console.log(`skipped: ${processor}`)
    test.skip(`searches (skipped: ${processor})`, () => {})
    return
  }
  for (const device of openClDevices(processor.api, "all")) searches(device)

  test("rounds in a row give the same hashes as rolled rounds", () => {
    const { api, device } = processor
    const search = new DeviceSearch("opencl", openOpenClCompute(api, device, renderOpenCl(), DEVICE_KERNELS))
    search.geometry = { groupSize: 1, groups: 64 }
    expect(testDevice(search)).toBeUndefined()
    search.close()
  })

  test("a program that does not compile is reported with the compiler's log", () => {
    const build = () => openOpenClCompute(processor.api, processor.device, "__kernel void a() { b; }", ["a"])
    expect(build).toThrow(/clBuildProgram: CL_BUILD_PROGRAM_FAILURE: .*\bb\b/s)
  })

  test("an absent kernel is reported by the driver's error", () => {
    const build = () => openOpenClCompute(processor.api, processor.device, "__kernel void a() {}", ["b"])
    expect(build).toThrow("clCreateKernel: CL_INVALID_KERNEL_NAME")
  })
})

function searches(device: ReturnType<typeof openClDevices>[number]): void {
  const { handle: _, ...plain } = device

  test(`${device.name} passes its self-test, finds seals and searches a range exactly`, async () => {
    const engine = createGpuEngine({
      device: plain,
      number: 0,
      batchSize: undefined,
      throttleMs: 0,
      tune: () => tuneApart(plain, { clock }),
      random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
      clock,
      log: SILENT,
    })
    const candidates: Candidate[] = []
    const rung = Promise.withResolvers<void>()
    const exhausted = Promise.withResolvers<void>()
    await engine.start({
      candidate(candidate) {
        candidates.push(candidate)
        if (candidates.length >= 20) rung.resolve()
      },
      exhausted: () => exhausted.resolve(),
      switched() {},
      restarted: (_unit, why) => rung.reject(new Error(why)),
      failed: why => rung.reject(new Error(why)),
    })
    try {
      const header = crypto.getRandomValues(new Uint8Array(32))
      const difficulty = 5000n
      const work: Work = {
        sequence: 1,
        header,
        difficulty,
        target: targetOf(difficulty),
        prefix: Uint8Array.of(1, 2, 3, 4),
        stopAtCandidate: false,
      }
      engine.assign(work)
      await rung.promise
      for (const { nonce } of candidates) {
        expect(verifySeal(header, nonce, work.target)).toBeDefined()
        expect([...nonce.subarray(0, 4)]).toEqual([1, 2, 3, 4])
      }
      expect(new Set(candidates.map(({ nonce }) => nonce.toHex())).size).toBe(candidates.length)
      const [unit] = engine.units
      expect(unit!.kind).toBe("gpu")
      // At least 20 hits, within six standard deviations of the expected number.
      const expected = unit!.expectedSeals
      expect(Math.abs(candidates.length - expected)).toBeLessThan(6 * Math.sqrt(expected) + 6)

      candidates.length = 0
      const first = 2n ** 40n + 2n ** 32n - 3000n
      const range = { first, last: first + 9999n }
      engine.assign({ ...work, sequence: 2, prefix: new Uint8Array(), range, target: targetOf(100n), difficulty: 100n })
      await exhausted.promise
      expect(engine.hashesOf(2)).toBe(10_000n)
      const seals = candidates.filter(({ sequence }) => sequence === 2).map(({ nonce }) => bytesToInteger(nonce))
      expect(seals.every(nonce => nonce >= range.first && nonce <= range.last)).toBe(true)
      expect(Math.abs(seals.length - 100)).toBeLessThan(60)
    } finally {
      await engine.close()
    }
  })
}

const SILENT: Log = { debug() {}, info() {}, success() {}, warn() {}, error() {}, withTag: () => SILENT }
