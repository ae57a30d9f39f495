/** The OpenCL layer against a driver in TypeScript; PoCL, where it is, runs it for real (`test/gpu`). */
import { expect, test } from "bun:test"
import { openOpenClCompute } from "../../../src/engines/gpu/opencl/compute.ts"
import { openClDevices } from "../../../src/engines/gpu/opencl/devices.ts"
import { fakeOpenCl } from "./fake-opencl.ts"

function opened() {
  const fake = fakeOpenCl([{}])
  return { fake, compute: () => openOpenClCompute(fake.api, openClDevices(fake.api)[0]!, "", ["search"]) }
}

test("looks at a fence until it is done, and only then has the driver wait, which may spin", () => {
  const { fake, compute } = opened()
  const device = compute()
  const fence = device.fence()
  fake.statuses.push(3, 2, 1, 1)
  fake.calls.length = 0
  const start = performance.now()
  device.wait(fence)
  // Four naps of a millisecond.
  expect(performance.now() - start).toBeGreaterThan(3.9)
  expect(fake.calls).toEqual([...Array(5).fill("clGetEventInfo"), "clWaitForEvents", "clReleaseEvent"])
})

test("a command that failed is told by its own error", () => {
  const { fake, compute } = opened()
  const device = compute()
  const fence = device.fence()
  fake.statuses.push(1, -5)
  expect(() => device.wait(fence)).toThrow("clWaitForEvents: CL_OUT_OF_RESOURCES")
})

test("a compiler's long log is shown from its beginning", () => {
  const { fake, compute } = opened()
  fake.log = `error: first\n${"note: much more\n".repeat(10_000)}`
  expect(compute).toThrow(/^clBuildProgram: CL_BUILD_PROGRAM_FAILURE: error: first\nnote: much more\n.{0,4096}$/s)
})
