import { describe, expect, test } from "bun:test"
import { serviceFindings } from "../../src/commands/doctor-checks.ts"
import { probe } from "../../src/sources/probe.ts"
import type { JobSource, SourceEvents } from "../../src/sources/source.ts"
import { fakeJob } from "../observe/support.ts"
import { FakeClock } from "../support/fake-clock.ts"

describe("the service", () => {
  const show = (values: Record<string, string>) =>
    serviceFindings(
      Object.entries({
        LoadState: "loaded",
        ActiveState: "active",
        UnitFileState: "enabled",
        NeedDaemonReload: "no",
        ...values,
      })
        .map(([name, value]) => `${name}=${value}`)
        .join("\n"),
    ).map(({ level, text }) => `${level}: ${text}`)

  test("is not mentioned where it is not installed", () => {
    expect(show({ LoadState: "not-found" })).toEqual([])
  })

  test("is right, stale or failed", () => {
    expect(show({})).toEqual(["ok: active, starts with the system"])
    expect(show({ UnitFileState: "disabled" })).toEqual(["ok: active, does not start with the system"])
    expect(show({ NeedDaemonReload: "yes" })[0]).toBe("warning: the unit changed on disk: run systemctl daemon-reload")
    expect(show({ ActiveState: "activating", SubState: "auto-restart", ExecMainStatus: "75" })).toEqual([
      "wrong: restarts again and again, last with exit code 75: see journalctl -u quantus-miner",
    ])
    expect(show({ ActiveState: "inactive" })[0]).toStartWith("warning: starts with the system, but does not run")
    expect(show({ ActiveState: "failed", ExecMainStatus: "78" })).toEqual([
      "wrong: failed with exit code 78: see journalctl -u quantus-miner and docs/exit-codes.md",
    ])
  })
})

describe("a probe", () => {
  /** A source whose events the test sends. */
  function source() {
    const state = { events: undefined as SourceEvents | undefined, closed: false }
    const fake: JobSource = {
      name: "fake",
      start: events => void (state.events = events),
      submit: async () => ({ result: "lost" }),
      close: async () => void (state.closed = true),
    }
    return { fake, state }
  }

  test("measures connection and first job, and closes the source", async () => {
    const clock = new FakeClock()
    const { fake, state } = source()
    const result = probe(fake, clock, 10_000)
    await clock.advance(30)
    state.events?.connected("fake")
    await clock.advance(20)
    state.events?.job(fakeJob("1"))
    expect(await result).toEqual({ connectedMs: 30, jobMs: 50, problem: undefined })
    expect(state.closed).toBe(true)
  })

  test("reports the first failure", async () => {
    const clock = new FakeClock()
    const { fake, state } = source()
    const result = probe(fake, clock, 10_000)
    state.events?.disconnected("refused", "connection refused", 1000, "fake")
    state.events?.disconnected("timeout", "later", 1000, "fake")
    expect(await result).toEqual({ connectedMs: undefined, jobMs: undefined, problem: "connection refused" })
  })

  test("ends without a job after its time", async () => {
    const clock = new FakeClock()
    const { fake, state } = source()
    const result = probe(fake, clock, 10_000)
    state.events?.connected("fake")
    await clock.advance(10_000)
    expect(await result).toEqual({ connectedMs: 0, jobMs: undefined, problem: undefined })
  })
})
