import { describe, expect, test } from "bun:test"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { defaultWorkers, resolveWorkers } from "../../src/host/workers.ts"
import { collectLog } from "../support/collect-log.ts"

describe("defaultWorkers", () => {
  test.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [8, 4],
    [127, 63],
  ])("%i effective CPUs: %i", (effective, workers) => {
    expect(defaultWorkers(effective)).toBe(workers)
  })

  test.each([
    [8, 1, 4],
    [8, 4, 4],
    [8, 6, 2],
    [4, 3, 1],
    [4, 8, 0],
    [1, 1, 0],
  ])("%i effective CPUs and %i GPUs: %i", (effective, gpus, workers) => {
    expect(defaultWorkers(effective, gpus)).toBe(workers)
  })

  test("is in [1, effective − 1] for two or more CPUs", () => {
    for (let effective = 2; effective <= 512; effective++) {
      expect(defaultWorkers(effective)).toBeWithin(1, effective)
    }
  })
})

describe("resolveWorkers", () => {
  test("an absent count means the default", () => {
    const log = collectLog()
    expect(resolveWorkers({ requested: undefined, effective: 6, log })).toBe(3)
    expect(resolveWorkers({ requested: undefined, effective: 6, gpus: 4, log })).toBe(2)
    expect(log.texts).toEqual([])
  })

  test.each([1, 3, 4])("%i of 4 as requested", requested => {
    const log = collectLog()
    expect(resolveWorkers({ requested, effective: 4, log })).toBe(requested)
    expect(log.texts).toEqual([])
  })

  test("more than the effective CPUs: clamped, with a warning that names both numbers", () => {
    const log = collectLog()
    expect(resolveWorkers({ requested: 16, effective: 4, log })).toBe(4)
    expect(log.texts).toEqual(["warn 16 CPU workers are more than the effective CPUs, 4: running 4"])
  })

  test("0 is accepted with a GPU", () => {
    expect(resolveWorkers({ requested: 0, effective: 4, gpus: 1, log: collectLog() })).toBe(0)
  })

  test("0 without a GPU is a usage error", () => {
    try {
      resolveWorkers({ requested: 0, effective: 4, log: collectLog() })
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(OperatorError)
      expect(error).toMatchObject({ exitCode: ExitCode.usage, message: expect.stringContaining("--cpu-workers 0") })
    }
  })
})
