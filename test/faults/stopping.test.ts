/** SIGINT and SIGTERM at any moment. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MinerProcess } from "../support/miner-process.ts"
import { catches, cpuMs } from "../support/process-status.ts"
import { figure } from "./figures.ts"
import { type ScriptedNode, startScriptedNode } from "./scripted-node.ts"

const STOPPED = 2000

let node: ScriptedNode
let temporary: string

beforeEach(async () => {
  node = await startScriptedNode()
  temporary = mkdtempSync(join(tmpdir(), "quantus-faults-"))
})

afterEach(async () => {
  await node.close()
  rmSync(temporary, { recursive: true, force: true })
})

function mine(port = node.port): MinerProcess {
  const env = { TMPDIR: temporary }
  return new MinerProcess(["serve", "--node-addr", `127.0.0.1:${port}`, "--cpu-workers=2", ...node.credentials], {
    env,
  })
}

/** Looks at a process until a condition holds. @throws Error if it ends first */
async function until(condition: () => boolean, miner: MinerProcess): Promise<void> {
  let ended = false
  void miner.exited.then(() => {
    ended = true
  })
  while (!condition()) {
    if (ended) throw new Error(`the miner ended:\n${miner.text}`)
    await Bun.sleep(1)
  }
}

/** Milliseconds from the signal to the end, which must be in good order. */
async function stop(miner: MinerProcess, signal: NodeJS.Signals): Promise<number> {
  const start = performance.now()
  miner.kill(signal)
  expect(await miner.exited).toBe(0)
  expect(readdirSync(temporary)).toEqual([])
  return performance.now() - start
}

describe("a signal ends the miner within 2 s", () => {
  const times: number[] = []

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} while it starts`, async () => {
      // Moments by the CPU time that the process has used, which are the same on a busy machine.
      for (const cpu of [0, 0, 20, 50, 80, 120, 160, 200, 300, 400]) {
        const miner = mine()
        // Before its handlers are there a signal has the system's own effect.
        await until(() => catches(miner.pid, signal) && cpuMs(miner.pid) >= cpu, miner)
        times.push(await stop(miner, signal))
      }
    }, 60_000)

    test(`${signal} during the handshake and in back-off`, async () => {
      const silent = await Bun.udpSocket({ hostname: "127.0.0.1" })
      const miner = mine(silent.port)
      await miner.line(/effective CPU/)
      await Bun.sleep(300)
      times.push(await stop(miner, signal))
      const later = mine(silent.port)
      await later.line(/next attempt in/)
      times.push(await stop(later, signal))
      silent.close()
    }, 30_000)

    test(`${signal} without a job, in a job, and after one`, async () => {
      const idle = mine()
      await idle.line(/connected to/)
      times.push(await stop(idle, signal))
      const busy = mine()
      const peer = await node.peer(1)
      peer.sendJob(10n ** 30n)
      await busy.line(/difficulty/)
      await Bun.sleep(500)
      times.push(await stop(busy, signal))
      await peer.closed()
      expect(busy.text).toMatch(/stopped after [\d,]+ hashes and 0 seals/)
      const sealed = mine()
      const last = await node.peer(2)
      await last.resultOf(last.sendJob(1n).id)
      times.push(await stop(sealed, signal))
      expect(sealed.text).toMatch(/stopped after [\d,]+ hashes and 1 seals?/)
    }, 30_000)
  }

  test("in every state", () => {
    figure(
      "from the signal to the end, at start, handshake, back-off, idle and mining",
      `at most ${Math.max(...times).toFixed(0)} ms of ${times.length} stops`,
    )
    expect(Math.max(...times)).toBeLessThan(STOPPED)
  })
})

test("the node receives a close, and nothing is left of the process", async () => {
  const miner = mine()
  const peer = await node.peer()
  const start = performance.now()
  await stop(miner, "SIGTERM")
  await peer.closed()
  figure("the node hears the goodbye", `${(peer.closedAt! - start).toFixed(0)} ms after the signal`)
  expect(() => process.kill(miner.pid, 0)).toThrow("ESRCH")
})

test("a second signal within a second changes nothing", async () => {
  const miner = mine()
  const peer = await node.peer()
  peer.sendJob(10n ** 30n)
  await miner.line(/difficulty/)
  miner.kill("SIGINT")
  const took = await stop(miner, "SIGTERM")
  figure("two signals end the miner after", `${took.toFixed(0)} ms`)
  expect(took).toBeLessThan(STOPPED)
  await peer.closed()
  expect(miner.text).toMatch(/stopped after [\d,]+ hashes/)
})
