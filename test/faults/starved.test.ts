/** A worker that other programs leave no CPU is reported and kept. */
import { afterAll, expect, test } from "bun:test"
import { cpus } from "node:os"
import { MinerProcess } from "../support/miner-process.ts"
import { type ScriptedNode, startScriptedNode } from "./scripted-node.ts"

const chrt = process.platform === "linux" ? Bun.which("chrt") : null
const skipped = chrt === null ? " (skipped: needs chrt)" : ""
const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

test.skipIf(chrt === null)(
  `a worker under SCHED_IDLE beside busy programs is not replaced${skipped}`,
  async () => {
    const node: ScriptedNode = await startScriptedNode()
    cleanups.push(() => node.close())
    const miner = new MinerProcess([
      "serve",
      `--node-addr=127.0.0.1:${node.port}`,
      ...["--cpu-workers=1", "--cpu-affinity=none", "--gpu-devices=0", "--engine=wasm"],
      ...node.credentials,
    ])
    cleanups.push(() => miner.stop())
    const peer = await node.peer()
    peer.sendJob(2n ** 256n)
    await miner.line(/\[job\]/)
    const [worker] = miner.workers
    expect(Bun.spawnSync([chrt!, "--idle", "--pid", "0", `${worker}`]).success).toBe(true)
    for (let i = 0; i < 2 * cpus().length; i++) {
      const busy = Bun.spawn(["sh", "-c", "while :; do :; done"])
      cleanups.push(() => busy.kill("SIGKILL"))
    }
    // A look finds it so within seconds; the test's timeout bounds the wait.
    await miner.line(/is starved/)
    expect(miner.text).not.toContain("was replaced")
  },
  60_000,
)
