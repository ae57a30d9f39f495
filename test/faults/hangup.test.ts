/** SIGHUP: a terminal that closes, nohup, and a service manager's reload. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { catches } from "../support/process-status.ts"
import { figure } from "./figures.ts"

const DEMO = "demo --cpu-workers=1 --engine=wasm --gpu-devices=0 --difficulty=20000 --seals=1000000"

let directory: string
let log: string
const miners = new Set<number>()

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "quantus-hangup-"))
  log = join(directory, "log")
})

afterEach(() => {
  for (const pid of miners) if (isAlive(pid)) process.kill(pid, "SIGKILL")
  miners.clear()
  rmSync(directory, { recursive: true, force: true })
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

async function until(condition: () => boolean, ms: number): Promise<number> {
  const from = performance.now()
  while (!condition()) {
    if (performance.now() - from > ms) throw new Error(`nothing within ${ms} ms; the log: ${logged()}`)
    await Bun.sleep(20)
  }
  return performance.now() - from
}

const logged = (): string => (statSync(log, { throwIfNoEntry: false }) ? readFileSync(log, "utf8") : "")

/**
 * Runs a shell command in a new terminal, in a new session. `$MINER` is the executable.
 * @returns the miner's process id, which the command writes to `$PID`, and a function that closes the terminal
 */
async function inTerminal(command: string, env: Record<string, string> = {}) {
  const pidFile = join(directory, "pid")
  const { PATH = "" } = process.env
  const terminal = Bun.spawn(["setsid", "script", "-qfec", command, join(directory, "typescript")], {
    env: { PATH, HOME: "/dev/null", SHELL: "/bin/sh", MINER: builtExecutable(), PID: pidFile, LOG: log, ...env },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  })
  await until(() => statSync(pidFile, { throwIfNoEntry: false }) !== undefined && logged().includes("was sent"), 20_000)
  const pid = Number(readFileSync(pidFile, "utf8"))
  miners.add(pid)
  return {
    pid,
    async close() {
      terminal.kill("SIGKILL")
      await terminal.exited
    },
  }
}

describe("a terminal that closes ends the miner in order", () => {
  const cases: [string, string, Record<string, string>][] = [
    ["with its log in a file", `echo $$ >$PID; exec $MINER ${DEMO} 2>$LOG`, {}],
    ["in the background of a shell", `$MINER ${DEMO} >/dev/null 2>$LOG </dev/null & echo $! >$PID; wait`, {}],
    ["with the variables of a desktop's service", `echo $$ >$PID; exec $MINER ${DEMO} 2>$LOG`, { INVOCATION_ID: "1" }],
  ]
  test.each(cases)(
    "%s",
    async (title, command, env) => {
      const { pid, close } = await inTerminal(command, env)
      expect(isAlive(pid)).toBe(true)
      await close()
      const ms = await until(() => !isAlive(pid), 3000)
      expect(logged()).toMatch(/stopped after [\d,]+ hashes/)
      figure(`a terminal closes, ${title}`, `the miner has ended after ${ms.toFixed(0)} ms`)
    },
    60_000,
  )

  test("when it also shows the log", async () => {
    const { pid, close } = await inTerminal(`echo $$ >$PID; exec $MINER ${DEMO} --log-file=$LOG`)
    await close()
    await until(() => !isAlive(pid), 3000)
    expect(logged()).toMatch(/stopped after [\d,]+ hashes/)
  }, 60_000)
})

test("nohup keeps the miner, also when its terminal closes", async () => {
  const { pid, close } = await inTerminal(`nohup $MINER ${DEMO} >/dev/null 2>$LOG & echo $! >$PID; wait`)
  process.kill(pid, "SIGHUP")
  await close()
  const length = logged().length
  await until(() => logged().slice(length).includes("was sent"), 10_000)
  process.kill(pid, "SIGTERM")
  await until(() => !isAlive(pid), 3000)
}, 60_000)

describe("SIGHUP without a terminal", () => {
  const mine = (env: Record<string, string>) => new MinerProcess(DEMO.split(" "), { env })

  test("ends the miner in order", async () => {
    const miner = mine({})
    await miner.line(/was sent/)
    miner.kill("SIGHUP")
    expect(await miner.exited).toBe(0)
    expect(miner.text).toMatch(/stopped after [\d,]+ hashes/)
  }, 60_000)

  test("ends the miner with 0 as soon as it handles the signal", async () => {
    const miner = mine({})
    await until(() => catches(miner.pid, "SIGHUP"), 20_000)
    miner.kill("SIGHUP")
    expect(await miner.exited).toBe(0)
  }, 60_000)

  for (const variable of ["INVOCATION_ID", "NOTIFY_SOCKET"]) {
    test(`is a reload with ${variable}`, async () => {
      const miner = mine({ [variable]: "/nowhere" })
      await miner.line(/effective CPU/)
      miner.kill("SIGHUP")
      await miner.line(/was sent/)
      miner.kill("SIGHUP")
      await miner.line(/was sent/, miner.lines.length)
      miner.kill("SIGTERM")
      expect(await miner.exited).toBe(0)
    }, 60_000)
  }
})
