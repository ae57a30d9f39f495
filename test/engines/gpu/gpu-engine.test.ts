/** The engine of a device on a real thread, with a device that fails as a test selects. */
import { expect, test } from "bun:test"
import { systemClock as clock } from "../../../src/clock.ts"
import type { EngineEvents, Work } from "../../../src/engines/engine.ts"
import { createGpuEngine } from "../../../src/engines/gpu/gpu-engine.ts"
import type { Log } from "../../../src/log.ts"
import { DEVICE } from "./fake-compute.ts"

const SILENT: Log = { debug() {}, info() {}, success() {}, warn() {}, error() {}, withTag: () => SILENT }
const EVENTS: EngineEvents = { candidate() {}, exhausted() {}, switched() {}, restarted() {}, failed() {} }

const engineOf = (name: string, number = 0) =>
  createGpuEngine({
    device: { ...DEVICE, name },
    number,
    batchSize: 1024,
    throttleMs: 0,
    tune: () => Promise.resolve({ kind: "default", build: { groupSize: 64 } }),
    random: bytes => new Uint8Array(bytes),
    clock,
    log: SILENT,
    entry: new URL("./faulty-worker.ts", import.meta.url),
  })

const work: Work = {
  sequence: 5,
  header: new Uint8Array(32),
  target: 1n,
  difficulty: 2n ** 511n,
  prefix: new Uint8Array(),
  stopAtCandidate: true,
}

test("an engine has one unit, which switches to assigned work", async () => {
  const engine = engineOf("well", 3)
  const switched = Promise.withResolvers<[string, number]>()
  await engine.start({ ...EVENTS, switched: (unit, sequence) => switched.resolve([unit, sequence]) })
  engine.assign(work)
  expect(await switched.promise).toEqual(["opencl/3", 5])
  expect(engine.units.map(({ id, kind }) => [id, kind])).toEqual([["opencl/3", "gpu"]])
  await engine.close()
})

test("a failed device is reopened, its counts continue, and the third failure drops it", async () => {
  const engine = engineOf("dying")
  const restarts: string[] = []
  const failed = Promise.withResolvers<string>()
  await engine.start({ ...EVENTS, restarted: (_unit, why) => restarts.push(why), failed: failed.resolve })
  engine.assign(work)
  const why = "DeviceError: clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES"
  expect(await failed.promise).toBe(why)
  expect(restarts).toEqual([why, why, why])
  expect(engine.units[0]!.hashes).toBeGreaterThan(0n)
  await engine.close()
})

test("a device that is no longer available is refused with the reason", async () => {
  const engine = engineOf("gone")
  await expect(engine.start(EVENTS)).rejects.toThrow("the device is no longer available")
})

test("a device that computes wrong hashes is rejected", async () => {
  await expect(engineOf("wrong").start(EVENTS)).rejects.toThrow("a wrong hash")
})
