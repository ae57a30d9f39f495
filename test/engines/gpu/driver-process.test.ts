/** Drivers in a child process. */
import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { systemClock as clock } from "../../../src/clock.ts"
import type { DriverReport } from "../../../src/engines/gpu/driver-child.ts"
import { findDevicesApart, type Tuned, tryApart, tuneApart } from "../../../src/engines/gpu/driver-process.ts"
import { findDevices } from "../../../src/engines/gpu/find-devices.ts"
import type { Build } from "../../../src/engines/gpu/open-device.ts"
import type { Tuning } from "../../../src/engines/gpu/tuning.ts"
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
    const build = { groupSize: 256, rolled: true }
    const run = child({ kind: "hung" }, { kind: "begun", build })
    expect(await tuneApart({ ...DEVICE, platform: "rusticl" }, { ...options, run })).toEqual({
      kind: "unusable",
      why: "the OpenCL driver (libOpenCL.so.1, rusticl) did not answer within 5 s while build 1 was compiled and tested for Pretended device",
    })
  })

  test("by crashing costs its GPU, whatever was measured before", async () => {
    const run = child({ kind: "crashed", how: "SIGSEGV" }, ...MEASURED)
    expect(await tuneApart({ ...DEVICE, platform: "rusticl" }, { ...options, run })).toEqual({
      kind: "unusable",
      why: "the OpenCL driver (libOpenCL.so.1, rusticl) crashed (SIGSEGV) while build 1 was compiled and tested for Pretended device",
    })
  })

  test("by reporting an error is left to the engine, which reports it", async () => {
    const gone = { ...DEVICE, index: 1000 }
    expect(await tuneApart(gone, { clock })).toEqual({ kind: "default", build: FIRST })
  }, 30_000)
})

const FIRST = { groupSize: 64, rolled: true }
const SECOND = { groupSize: 256, rolled: true }
const tuningOf = (build: object, hashesPerSecond: number) => ({
  layout: { ...build, groups: 32 } as Tuning["layout"],
  hashesPerSecond,
})
const triedAt = (build: Build, hashesPerSecond: number): DriverReport => ({
  kind: "tried",
  build,
  outcome: { kind: "right", tuning: tuningOf(build, hashesPerSecond), registers: undefined, reading: 200 },
})
const refused = (build: Build): DriverReport => ({
  kind: "tried",
  build,
  outcome: { kind: "refused", why: "CL_BUILD_PROGRAM_FAILURE" },
})
const MEASURED: DriverReport[] = [
  { kind: "begun", build: FIRST },
  { kind: "proved", build: FIRST },
  triedAt(FIRST, 1e6),
]

describe("a tuning", () => {
  /** A child that makes each report when it is due, in ms, and does not end before the last of `ends`. */
  function tuned(reports: readonly (readonly [number, DriverReport])[], end?: readonly [number, ChildEnd]) {
    const clock = new FakeClock()
    const lines: string[] = []
    let outcome: Tuned | undefined
    const run = ({ timeoutMs, stop, report }: ChildOptions) => {
      const { promise, resolve } = Promise.withResolvers<ChildEnd>()
      let last = 0
      for (const [at, one] of reports)
        clock.after(at, () => {
          last = clock.now()
          report(one)
        })
      clock.every(1000, () => {
        if (clock.now() - last >= timeoutMs) resolve({ kind: "hung" })
      })
      stop?.addEventListener("abort", () => resolve({ kind: "stopped" }))
      if (end) clock.after(end[0], () => resolve(end[1]))
      return promise
    }
    void tuneApart(DEVICE, { clock, run, progress: line => lines.push(line) }).then(tuned => {
      outcome = tuned
    })
    return { clock, lines, outcome: () => outcome }
  }

  const [begun, proved, measured] = MEASURED as [DriverReport, DriverReport, DriverReport]

  test("takes the fastest build", async () => {
    const { clock, lines, outcome } = tuned(
      [
        [10, begun],
        [20, proved],
        [30, measured],
        [40, { kind: "begun", build: SECOND }],
        [50, triedAt(SECOND, 2e6)],
        [60, refused({ groupSize: 64 })],
      ],
      [70, { kind: "done" }],
    )
    await clock.advance(70)
    expect(outcome()).toEqual({ kind: "tuned", tuning: tuningOf(SECOND, 2e6) })
    expect(lines).toEqual([
      "measuring build 1 of 4: rolled, groups of 64",
      "measuring build 2 of 4: rolled, groups of 256",
      "rounds in a row, groups of 64 cannot be used: CL_BUILD_PROGRAM_FAILURE",
      "the fastest is rolled, groups of 256, 32 groups",
    ])
  })

  test("ends after 60 s with the best so far, whatever the driver does", async () => {
    const { clock, lines, outcome } = tuned([
      [20_000, begun],
      [25_000, proved],
      [30_000, measured],
      // Its compilation would take longer.
      [31_000, { kind: "begun", build: SECOND }],
    ])
    await clock.advance(59_999)
    expect(outcome()).toBeUndefined()
    await clock.advance(1)
    expect(outcome()).toEqual({ kind: "tuned", tuning: tuningOf(FIRST, 1e6) })
    expect(lines.slice(2)).toEqual([
      'stopped after 60 s: 1 of 4 builds measured; "quantus-miner tune --gpu" measures every build',
      "the fastest is rolled, groups of 64, 32 groups",
    ])
  })

  test("that has measured nothing by then gives the first build that works", async () => {
    const { clock, lines, outcome } = tuned([
      [1000, begun],
      [25_000, refused(FIRST)],
      [26_000, { kind: "begun", build: SECOND }],
      [50_000, { kind: "proved", build: SECOND }],
    ])
    await clock.advance(60_000)
    expect(outcome()).toEqual({ kind: "default", build: SECOND })
    expect(lines.slice(-2)).toEqual([
      'stopped after 60 s: 0 of 4 builds measured; "quantus-miner tune --gpu" measures every build',
      "no build was measured; using rolled, groups of 256",
    ])
  })

  test("ends when a build is silent for 30 s, with what was measured before", async () => {
    const { clock, lines, outcome } = tuned(MEASURED.map((report, i) => [1000 + i, report]))
    await clock.advance(40_000)
    expect(outcome()).toEqual({ kind: "tuned", tuning: tuningOf(FIRST, 1e6) })
    expect(lines).toContainEqual(expect.stringMatching(/^stopped after 3\d s: 1 of 4 builds measured/))
  })

  test("fails if the first build is silent for 30 s", async () => {
    const { clock, outcome } = tuned([[1000, begun]])
    await clock.advance(40_000)
    expect(outcome()).toMatchObject({ kind: "unusable", why: expect.stringContaining("did not answer within 30 s") })
  })
})

describe("trying every build", () => {
  const builds = [FIRST, SECOND, { groupSize: 64 }]

  /** @param ends of the children one after the other, each after its reports */
  async function tried(...children: readonly (readonly [ChildEnd, ...DriverReport[]])[]) {
    const outcomes: string[] = []
    const orders: (readonly Build[])[] = []
    const stop = new AbortController()
    await tryApart(DEVICE, builds, {
      clock: new FakeClock(),
      stop: stop.signal,
      tried: ({ groupSize, rolled }, outcome) =>
        outcomes.push(`${groupSize} ${rolled ?? false} ${outcome.kind === "right" ? "right" : outcome.why}`),
      run: options => {
        orders.push((options.order as { builds: readonly Build[] }).builds)
        const [end, ...reports] = children[orders.length - 1]!
        if (end.kind === "stopped") stop.abort()
        return child(end, ...reports)(options)
      },
    })
    return { outcomes, orders }
  }

  test("continues in another child after the build that crashes or hangs", async () => {
    const { outcomes, orders } = await tried([{ kind: "crashed", how: "SIGSEGV" }, ...MEASURED], [{ kind: "hung" }])
    expect(orders).toEqual([builds, builds.slice(2)])
    expect(outcomes).toEqual([
      "64 true right",
      expect.stringMatching(/^256 true the OpenCL driver .* crashed \(SIGSEGV\) while it was compiled and measured/),
      expect.stringMatching(/^64 false the OpenCL driver .* did not answer within 120 s/),
    ])
  })

  test("ends with a driver that crashes before any build has worked", async () => {
    const { outcomes, orders } = await tried([{ kind: "crashed", how: "SIGSEGV" }, refused(FIRST)])
    expect(orders.length).toBe(1)
    expect(outcomes).toEqual(["64 true CL_BUILD_PROGRAM_FAILURE", expect.stringContaining("crashed (SIGSEGV)")])
  })

  test("ends with a signal, and with a card that is gone", async () => {
    expect((await tried([{ kind: "stopped" }, ...MEASURED])).outcomes).toEqual(["64 true right"])
    expect((await tried([{ kind: "done" }, ...MEASURED])).outcomes).toEqual([
      "64 true right",
      "256 true Pretended device is no longer available",
    ])
  })
})

test.skipIf(process.platform !== "linux")(
  "a real child is ended by a signal of its caller, and is gone then",
  async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    let end: ChildEnd | undefined
    const order = { kind: "list", api: "cuda" }
    const ending = runChild({ order, timeoutMs: 90_000, stop: stop.signal, clock, report() {} }).then(how => {
      end = how
    })
    const [pid] = childrenOf(process.pid)
    await clock.advance(60_000)
    expect(end).toBeUndefined()
    stop.abort()
    await ending
    expect(end).toEqual({ kind: "stopped" })
    expect(pid).toBeGreaterThan(0)
    expect(childrenOf(process.pid)).not.toContain(pid)
    expect(clock.pending).toBe(0)
  },
)

/** Processes that were started by a process and have not ended, on Linux. */
const childrenOf = (parent: number): number[] =>
  readdirSync(`/proc/${parent}/task`).flatMap(task =>
    readFileSync(`/proc/${parent}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  )
