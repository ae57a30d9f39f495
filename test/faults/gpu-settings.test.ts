/** The built executable with a card whose driver records what is set. */
import { afterEach, beforeEach, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MinerProcess } from "../support/miner-process.ts"
import { buildStubDriver, type StubDriver } from "../support/stub-driver.ts"
import { buildStubNvml, type StubNvml } from "../support/stub-nvml.ts"
import { type ScriptedNode, startScriptedNode } from "./scripted-node.ts"

let node: ScriptedNode
let stateDir: string
let driver: StubDriver
let card: StubNvml
const miners: MinerProcess[] = []

beforeEach(async () => {
  node = await startScriptedNode()
  stateDir = mkdtempSync(join(tmpdir(), "gpu-settings-"))
  // Its compiler refuses the program, so that CPUs mine.
  driver = buildStubDriver("cuda")
  card = buildStubNvml(driver.env["LD_LIBRARY_PATH"]!, stateDir)
})

afterEach(async () => {
  for (const miner of miners.splice(0)) {
    miner.kill("SIGKILL")
    await miner.exited
  }
  await node.close()
  driver.remove()
  rmSync(stateDir, { recursive: true })
})

function start(options: readonly string[], env: Record<string, string> = {}): MinerProcess {
  const settings = [`--state-dir=${stateDir}`, "--cpu-workers=1", "--engine=wasm", "--gpu-devices=1"]
  const args = ["serve", "--node-addr", `127.0.0.1:${node.port}`, ...node.credentials, ...settings, ...options]
  const miner = new MinerProcess(args, { env: { ...driver.env, ...env } })
  miners.push(miner)
  return miner
}

/** Starts a miner that sets a limit of 250 W, and kills it. */
async function killed(): Promise<void> {
  const miner = start(["--gpu-power-limit=250"])
  await miner.line(/power limit 250 W/)
  miner.kill("SIGKILL")
  await miner.exited
  expect(card.power).toBe(250_000)
}

const left = () => readdirSync(stateDir).filter(name => name.startsWith("gpu-settings"))

test("a value outside the card's range ends the miner with 78 and names the range", async () => {
  const miner = start(["--gpu-power-limit=700"])
  expect(await miner.ended).toBe(78)
  expect(miner.text).toContain("--gpu-power-limit 700 is outside the range of Stub GPU")
  expect(miner.text).toContain("100 to 600 W")
  expect(card.calls()).toEqual([])
})

test("a setting is stored before it is changed, and restored at exit", async () => {
  const miner = start(["--gpu-power-limit=250", "--gpu-core-clock=2100"])
  await miner.line(/core clock 2100 MHz/)
  expect(card.calls()).toEqual(["power 250000, 1 stored", "core 2100, 1 stored"])
  await miner.stop()
  expect(card.calls().slice(2)).toEqual(["core 0, 1 stored", "power 450000, 1 stored"])
  expect(left()).toEqual([])
})

test("the next start restores what a killed miner left", async () => {
  await killed()
  const next = start([])
  await next.line(/Stub GPU/)
  await next.stop()
  expect(card.power).toBe(450_000)
  expect(left()).toEqual([])
})

test("another tool's change after a kill is respected", async () => {
  await killed()
  card.power = 300_000
  const next = start([])
  await next.line(/--gpu-power-limit is not restored: another program has changed it/)
  await next.stop()
  expect(card.power).toBe(300_000)
})

test("what the system does not permit is a warning", async () => {
  const miner = start(["--gpu-power-limit=250"], { STUB_NVML_REFUSES: "1" })
  await miner.line(/--gpu-power-limit 250 is refused for Stub GPU.*: it needs root/)
  await miner.stop()
  expect(card.power).toBe(450_000)
  expect(left()).toEqual([])
})
