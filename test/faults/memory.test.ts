/** A system that gives the built miner no memory for machine code. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MinerProcess } from "../support/miner-process.ts"
import { NO_SUCH_THING } from "../support/without-machine-code.ts"
import { figure } from "./figures.ts"
import { isValid, type ScriptedNode, startScriptedNode } from "./scripted-node.ts"

const LAUNCHER = join(import.meta.dir, "../support/without-machine-code.ts")
const WITHOUT_MACHINE_CODE = [process.execPath, LAUNCHER]
/** Of address space: enough for the runtime, too little for its compiler. @param mebibytes */
const within = (mebibytes: number): string[] => ["sh", "-c", `ulimit -v ${mebibytes * 1024}; exec "$@"`, "sh"]

const onLinux = process.platform === "linux"
const mdwe = onLinux && Bun.spawnSync([...WITHOUT_MACHINE_CODE, "/bin/true"]).exitCode !== NO_SUCH_THING
if (!mdwe) console.log("skipped: a system that refuses executable memory, which this one cannot play")

let node: ScriptedNode
let state: string
beforeAll(async () => {
  node = await startScriptedNode()
  state = mkdtempSync(join(tmpdir(), "quantus-faults-"))
})
afterAll(async () => {
  await node.close()
  rmSync(state, { recursive: true })
})

function mine(prefix: readonly string[], ...options: string[]): MinerProcess {
  const args = ["serve", "--node-addr", `127.0.0.1:${node.port}`, ...node.credentials, ...options]
  return new MinerProcess(args, { prefix })
}

/** Has the miner that connects next seal a few jobs. */
async function seal(miner: MinerProcess): Promise<void> {
  const peer = await Promise.race([node.peer(node.peers.length), miner.exited])
  if (typeof peer === "number") throw new Error(`the miner ended with ${peer}:\n${miner.text}`)
  for (let i = 0; i < 20; i++) {
    const job = peer.sendJob(100n)
    expect(isValid(job, (await peer.resultOf(job.id)).result)).toBe(true)
  }
}

const warnings = (miner: MinerProcess): string[] =>
  miner.lines.map(({ text }) => text).filter(text => text.startsWith("[warn]"))

describe("without memory for machine code the miner says so in one line and hashes in WebAssembly", () => {
  const cases: [what: string, available: boolean, prefix: readonly string[]][] = [
    ["that is never writable and executable", mdwe, WITHOUT_MACHINE_CODE],
    ["within 1 GiB of address space", onLinux, within(1024)],
  ]
  for (const [what, available, prefix] of cases) {
    test.skipIf(!available)(
      what,
      async () => {
        const start = performance.now()
        const miner = mine(prefix, `--state-dir=${state}`)
        await seal(miner)
        expect(warnings(miner)).toEqual([expect.stringContaining("does not let this process create machine code")])
        const stopping = performance.now()
        expect(await miner.stop()).toBe(0)
        const [mined, stopped] = [stopping - start, performance.now() - stopping]
        expect(miner.text).toMatch(/sealed by wasm\/0/)
        figure(
          `memory ${what}`,
          `20 seals ${mined.toFixed(0)} ms after the start, stopped within ${stopped.toFixed(0)} ms`,
        )
        expect(stopped).toBeLessThan(2000)
      },
      60_000,
    )
  }

  test("and what it measured then is not used by a start with it", async () => {
    const miner = mine([], `--state-dir=${state}`)
    await seal(miner)
    expect(warnings(miner)).toEqual([])
    expect(miner.text).not.toContain("at an earlier start")
    expect(await miner.stop()).toBe(0)
  }, 60_000)
})
