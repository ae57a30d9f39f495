import { expect, test } from "bun:test"
import { processReader } from "../../src/observe/process-snapshot.ts"

test("the resources of this process are plausible", () => {
  const { cpuSeconds, residentBytes, startedAt } = processReader()()
  expect(cpuSeconds).toBeGreaterThan(0)
  expect(residentBytes).toBeGreaterThan(1e6)
  expect(startedAt).toBeLessThanOrEqual(Date.now() / 1000)
})

test.skipIf(process.platform !== "linux")("open files are counted (Linux only)", () => {
  const { openFiles, maxOpenFiles } = processReader()()
  expect(openFiles).toBeGreaterThan(2)
  expect(maxOpenFiles).toBeGreaterThanOrEqual(openFiles!)
})

test("what the platform does not report is undefined", () => {
  expect(processReader("/nowhere")()).toMatchObject({ openFiles: undefined, maxOpenFiles: undefined })
})
