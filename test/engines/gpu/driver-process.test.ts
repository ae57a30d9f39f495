/** Drivers in a child process. */
import { describe, expect, test } from "bun:test"
import { systemClock as clock } from "../../../src/clock.ts"
import type { DriverReport } from "../../../src/engines/gpu/driver-child.ts"
import { findDevicesApart, proveApart } from "../../../src/engines/gpu/driver-process.ts"
import { findDevices } from "../../../src/engines/gpu/find-devices.ts"
import type { ChildEnd, ChildOptions } from "../../../src/host/child-task.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { DEVICE } from "./fake-compute.ts"

/** A child that makes these reports and ends so. */
const child =
  (end: ChildEnd, ...reports: DriverReport[]) =>
  async ({ report }: ChildOptions) => {
    for (const one of reports) report(one)
    return end
  }

test("a real child lists the same devices as this process", async () => {
  const found = await findDevicesApart({ clock })
  expect(found).toEqual(JSON.parse(JSON.stringify(findDevices())))
}, 30_000)

describe("a driver that fails", () => {
  const options = { clock: new FakeClock(), timeoutMs: 5000 }

  test("while it lists its devices costs these, and not those of another", async () => {
    const run = (options: ChildOptions) => {
      const isCuda = (options.order as { api: string }).api === "cuda"
      const listing = { devices: [DEVICE] }
      return isCuda
        ? child({ kind: "crashed", how: "SIGSEGV" })(options)
        : child({ kind: "done" }, { kind: "listed", listing })(options)
    }
    const failure = "the CUDA driver (libcuda.so.1) crashed (SIGSEGV) while its devices were listed"
    expect(await findDevicesApart({ ...options, run })).toEqual({
      devices: [{ device: DEVICE, other: undefined }],
      missing: [failure],
      failures: [failure],
      notes: [],
    })
  })

  test("is named with the platform and what it was asked", async () => {
    const run = child({ kind: "hung" }, { kind: "step", what: "while build 2 was compiled and tested for X" })
    expect(await proveApart({ ...DEVICE, platform: "rusticl" }, { ...options, run })).toBe(
      "the OpenCL driver (libOpenCL.so.1, rusticl) did not answer within 5 s while build 2 was compiled and tested for X",
    )
  })

  test("by reporting an error is left to the engine, which reports it", async () => {
    const gone = { ...DEVICE, index: 1000 }
    expect(await proveApart(gone, { clock })).toBeUndefined()
  }, 30_000)
})
