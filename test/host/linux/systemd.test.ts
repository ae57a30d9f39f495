import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { createNotifier, watchdogTimeoutMs } from "../../../src/host/linux/systemd.ts"
import { unixAddress } from "../../../src/host/linux/unix-datagram.ts"
import { feedWatchdog } from "../../../src/host/service-manager.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { scratch } from "../support.ts"
import { datagramListener } from "./datagram-listener.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const linux = process.platform === "linux"

describe.skipIf(!linux)("notifications", () => {
  test.each([
    ["path", () => join(tmp.directory(), "notify")],
    ["abstract", () => `@quantus-miner-test-${process.pid}`],
  ])("%s socket", (_, name) => {
    const log = collectLog()
    const listener = datagramListener(name())
    const notifier = createNotifier({ NOTIFY_SOCKET: listener.name }, log)
    expect(notifier.enabled).toBe(true)

    notifier.ready()
    expect(listener.receive()).toBe("READY=1")
    notifier.status("mining 1.2 MH/s\nfor quic://[::1]:9833 – since 2 h")
    expect(listener.receive()).toBe("STATUS=mining 1.2 MH/s for quic://[::1]:9833 – since 2 h")
    notifier.watchdog()
    expect(listener.receive()).toBe("WATCHDOG=1")
    notifier.reloading()
    expect(listener.receive()).toMatch(/^RELOADING=1\nMONOTONIC_USEC=[1-9]\d*$/)
    notifier.mainPid(4711)
    expect(listener.receive()).toBe("MAINPID=4711")
    notifier.stopping()
    expect(listener.receive()).toBe("STOPPING=1")

    expect(listener.receive()).toBeUndefined()
    expect(log.texts).toEqual([])
    listener.close()
  })

  test("a full queue does not block repeated messages", () => {
    const listener = datagramListener(join(tmp.directory(), "notify"))
    const notifier = createNotifier({ NOTIFY_SOCKET: listener.name }, collectLog())
    for (let i = 0; i < 2000; i++) notifier.watchdog()
    expect(listener.receive()).toBe("WATCHDOG=1")
    listener.close()
  })

  test("a refused message is not an error, and one warning names the socket and what may be denied", () => {
    const log = collectLog()
    const socket = join(tmp.directory(), "gone")
    const notifier = createNotifier({ NOTIFY_SOCKET: socket }, log)
    notifier.watchdog()
    notifier.ready()
    notifier.stopping()
    expect(log.texts).toEqual([
      `warn the service manager's socket ${socket} refused READY: nobody listens on it, or a system call filter denies ` +
        "socket or sendto",
    ])
  })
})

test.each([{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: undefined }])("disabled without a socket: %j", env => {
  const log = collectLog()
  const notifier = createNotifier(env, log)
  expect(notifier.enabled).toBe(false)
  notifier.ready()
  notifier.watchdog()
  expect(log.texts).toEqual([])
})

test.each(["vsock:2:1234", "relative", `/${"long".repeat(30)}`])("an unsupported socket address: %s", name => {
  const log = collectLog()
  expect(createNotifier({ NOTIFY_SOCKET: name }, log).enabled).toBe(false)
  expect(log.texts).toEqual([`warn the service manager's socket ${name} cannot be used: readiness is not reported`])
})

test("socket addresses", () => {
  const family = [...new Uint8Array(new Uint16Array([1]).buffer)]
  expect([...unixAddress("/a")!]).toEqual([...family, 0x2f, 0x61, 0])
  expect([...unixAddress("@a")!]).toEqual([...family, 0, 0x61])
  expect(unixAddress(`/${"x".repeat(106)}`)).toHaveLength(110)
  expect(unixAddress(`/${"x".repeat(107)}`)).toBeUndefined()
  expect(unixAddress(`@${"x".repeat(107)}`)).toHaveLength(110)
})

describe("watchdog", () => {
  test.each([
    [{}, undefined],
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "77" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "78" }, undefined],
    [{ WATCHDOG_USEC: "0" }, undefined],
    [{ WATCHDOG_USEC: "soon" }, undefined],
    [{ WATCHDOG_USEC: "" }, undefined],
  ])("%j", (env, timeout) => {
    expect(watchdogTimeoutMs(env, 77)).toBe(timeout)
  })

  test("is fed four times per timeout while the miner is healthy; one error is logged when it is not", async () => {
    const log = collectLog()
    const clock = new FakeClock()
    let fed = 0
    let healthy = true
    const notifier = { ...createNotifier({}, log), watchdog: () => void fed++ }

    const stop = feedWatchdog({ notifier, timeoutMs: 30_000, healthy: () => healthy, clock, log })
    expect(fed).toBe(1)
    await clock.advance(30_000)
    expect(fed).toBe(5)
    healthy = false
    await clock.advance(15_000)
    expect(fed).toBe(5)
    expect(log.texts).toEqual([
      "error no worker makes progress: systemd restarts the miner in 30000 ms unless one recovers",
    ])
    healthy = true
    await clock.advance(7_500)
    expect(fed).toBe(6)
    stop()
    expect(clock.pending).toBe(0)
  })
})
