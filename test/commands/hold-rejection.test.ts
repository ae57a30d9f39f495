import { expect, test } from "bun:test"
import { holdRejection } from "../../src/commands/hold-rejection.ts"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import type { Notifier } from "../../src/host/service-manager.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"

const REJECTED = new OperatorError("quic://n rejects the token", ExitCode.rejected)

function hold(error: unknown, env: Record<string, string>) {
  const clock = new FakeClock()
  const log = collectLog()
  const controller = new AbortController()
  let fed = 0
  const notifier = { status() {}, watchdog: () => void fed++ } as unknown as Notifier
  const state = { ended: false }
  const held = holdRejection(error, { env, clock, log, notifier, stop: controller.signal })
  void held.then(() => {
    state.ended = true
  })
  return { clock, log, state, controller, fed: () => fed }
}

test("a rejection under a service manager is held for a minute, with the watchdog fed", async () => {
  const { clock, log, state, fed } = hold(REJECTED, { INVOCATION_ID: "1" })
  await clock.advance(59_999)
  expect(state.ended).toBe(false)
  expect(fed()).toBeGreaterThanOrEqual(12)
  expect(log.texts.join()).toContain("quic://n rejects the token; the service manager restarts the miner in 60 s")
  await clock.advance(1)
  expect(state.ended).toBe(true)
  expect(clock.pending).toBe(0)
})

test("a signal ends the hold", async () => {
  const { clock, state, controller } = hold(REJECTED, { NOTIFY_SOCKET: "/run/notify" })
  await clock.advance(1000)
  controller.abort("SIGTERM")
  await clock.advance(0)
  expect(state.ended).toBe(true)
})

test.each([
  ["in a terminal", REJECTED, {}],
  ["another exit code", new OperatorError("x", ExitCode.lost), { INVOCATION_ID: "1" }],
  ["a bug", new Error("x"), { INVOCATION_ID: "1" }],
])("nothing is held: %s", async (_, error, env) => {
  const { clock, state } = hold(error, env as Record<string, string>)
  await clock.advance(0)
  expect(state.ended).toBe(true)
})
