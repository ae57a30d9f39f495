/** Drivers in a child process. */
import { describe, expect, test } from "bun:test"
import { systemClock as clock } from "../../../src/clock.ts"
import type { DriverReport } from "../../../src/engines/gpu/driver-child.ts"
import { findDevicesApart, proveApart } from "../../../src/engines/gpu/driver-process.ts"
import { findDevices } from "../../../src/engines/gpu/find-devices.ts"
import { type ChildEnd, type ChildOptions, runChild } from "../../../src/host/child-task.ts"
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

test("a driver has 30 s to list its devices, or what a test passes", async () => {
  const limits: number[] = []
  const run = async ({ timeoutMs }: ChildOptions): Promise<ChildEnd> => {
    limits.push(timeoutMs)
    return { kind: "hung" }
  }
  const options = { clock: new FakeClock(), run }
  const failure = (seconds: string) =>
    ["CUDA", "OpenCL"].map(api =>
      expect.stringMatching(
        new RegExp(`^the ${api} driver .* did not answer within ${seconds} s while its devices were listed$`),
      ),
    )
  expect((await findDevicesApart(options)).failures).toEqual(failure("30"))
  expect((await findDevicesApart({ ...options, timeoutMs: 200 })).failures).toEqual(failure("0.2"))
  expect(limits).toEqual([30_000, 30_000, 200, 200])
})

test("a real child that reports nothing within its limit is ended", async () => {
  const clock = new FakeClock()
  const order = { kind: "list", api: "cuda" }
  const reports: unknown[] = []
  let end: ChildEnd | undefined
  const ending = runChild({ order, timeoutMs: 30_000, clock, report: report => reports.push(report) }).then(how => {
    end = how
  })
  // The child needs longer to start than these turns of the event loop take.
  await clock.advance(29_999)
  expect(end).toBeUndefined()
  await clock.advance(1)
  await ending
  expect({ end, reports }).toEqual({ end: { kind: "hung" }, reports: [] })
})

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
