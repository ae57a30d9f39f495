import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { awaitSecrets } from "../../src/commands/await-secrets.ts"
import { MissingSecret } from "../../src/config/secrets.ts"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import type { Notifier } from "../../src/host/service-manager.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"
import { MinerProcess } from "../support/miner-process.ts"

test("a missing file is logged immediately and every minute, and the service is reported as ready", async () => {
  const clock = new FakeClock()
  const log = collectLog()
  const calls: string[] = []
  const record = (name: string) => (text?: string) => void calls.push(text === undefined ? name : `${name} ${text}`)
  const notifier = {
    enabled: true,
    watchdogTimeoutMs: undefined,
    ready: record("ready"),
    status: record("status"),
    watchdog: record("watchdog"),
  } as unknown as Notifier
  let tries = 0
  const resolve = async () => {
    if (++tries > 121) return "config"
    throw new MissingSecret("--auth-token-file: /n/token does not exist", "/n/token")
  }
  const result = awaitSecrets(resolve, { clock, log, notifier })
  for (let second = 0; second < 121; second++) {
    await clock.advance(1000)
  }
  expect(await result).toBe("config")
  expect(log.lines.map(({ message }) => message)).toEqual(
    Array(3).fill("waiting for /n/token, which does not exist yet"),
  )
  expect(calls.slice(0, 3)).toEqual(["ready", "status waiting for /n/token", "watchdog"])
  expect(calls.filter(call => call === "watchdog")).toHaveLength(121)
})

test("any other error ends the wait", async () => {
  const log = collectLog()
  const error = new OperatorError("/n/token is a directory", ExitCode.config)
  const wait = awaitSecrets(() => Promise.reject(error), { clock: new FakeClock(), log, notifier: {} as Notifier })
  expect(await wait.catch(thrown => thrown)).toBe(error)
})

test("the executable waits for a token file in an existing directory, and exits with 78 otherwise", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-miner-boot-"))
  const serve = (token: string) => [
    ...["serve", "--node-addr", "127.0.0.1:1", "--cpu-workers", "1", "--gpu-devices", "0", "--engine", "wasm"],
    ...["--tls-cert-sha256", "ab".repeat(32), "--auth-token-file", join(directory, token)],
  ]
  mkdirSync(join(directory, "folder"))
  try {
    for (const wrong of ["absent/token", "folder"]) {
      const miner = new MinerProcess(serve(wrong))
      expect(await miner.exited).toBe(ExitCode.config)
    }
    const miner = new MinerProcess(serve("token"))
    expect((await miner.line(/waiting for/)).text).toContain(`waiting for ${join(directory, "token")}`)
    writeFileSync(join(directory, "token"), "secret\n", { mode: 0o600 })
    await miner.line(/next attempt in|quic:\/\/127\.0\.0\.1:1/)
    await miner.stop()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 60_000)
