/** Which GPUs a command opens, and what it logs about the others. */
import { expect, test } from "bun:test"
import { openGpus } from "../../src/commands/gpus.ts"
import type { HashingSettings } from "../../src/config/options.ts"
import type { FoundDevices } from "../../src/engines/gpu/find-devices.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"

function opened(gpuDevices: HashingSettings["gpuDevices"], found: FoundDevices) {
  const log = collectLog()
  const settings = { gpuDevices, allowIntegrated: false } as HashingSettings
  const open = () => openGpus({ settings, stateDir: undefined, clock: new FakeClock(), log, find: () => found })
  return { open, lines: () => log.texts }
}

test("a failed driver causes a warning", () => {
  const failure = "no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
  const { open, lines } = opened(
    { kind: "count", count: 1 },
    { devices: [], missing: [failure], failures: [failure], notes: [] },
  )
  expect(open).toThrow("--gpu-devices 1 exceeds the number of GPUs (0)")
  expect(lines()).toEqual([`warn GPUs of a failed driver are not used: ${failure}`])
})

test("the absence of a requested GPU causes a warning", () => {
  const found: FoundDevices = { devices: [], missing: ["there is no libcuda.so.1"], failures: [], notes: [] }
  const { open, lines } = opened({ kind: "list", devices: [0] }, found)
  expect(open).toThrow("no GPU matches 0")
  expect(lines()).toEqual(["warn no GPU found: there is no libcuda.so.1"])
})
