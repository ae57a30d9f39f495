/** How fast workers give their CPU back at a pause, and hash again after it. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { MinerProcess } from "../support/miner-process.ts"
import { distribution, figure, quantile } from "./figures.ts"
import { isValid, startScriptedNode } from "./scripted-node.ts"

const ROUNDS = 20
const HARD = 10n ** 30n
/** Workers that use little CPU time in each interval for this long have stopped. Milliseconds. */
const QUIET = 200
const INTERVAL = 10
/** Nanoseconds. A worker that waits wakes up now and then. */
const LITTLE = 3e6
/** Of the median, in milliseconds: an order of magnitude more than measured, because the machine may be busy. */
const STOPPED = 1000
const RESUMED = 500

/** Nanoseconds of CPU time of the worker threads. */
const workerTime = ({ pid, workers }: MinerProcess): number =>
  workers.reduce((sum, id) => sum + Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]), 0)

/** Milliseconds from `start` to the end of the last interval in which the workers worked. */
async function workedUntil(miner: MinerProcess, start: number): Promise<number> {
  let last = performance.now()
  let used = workerTime(miner)
  while (performance.now() - last < QUIET) {
    await Bun.sleep(INTERVAL)
    const now = workerTime(miner)
    if (now - used > LITTLE) last = performance.now()
    used = now
  }
  return last - start
}

test.skipIf(process.platform !== "linux")(
  "a pause frees the CPUs, and mining resumes at once",
  async () => {
    const node = await startScriptedNode()
    const miner = new MinerProcess([
      "serve",
      `--node-addr=127.0.0.1:${node.port}`,
      "--cpu-workers=1",
      ...node.credentials,
    ])
    const stopped: number[] = []
    const resumed: number[] = []
    try {
      const peer = await node.peer(0)
      const first = peer.sendJob(1n)
      await peer.resultOf(first.id)
      for (let i = 0; i < ROUNDS; i++) {
        peer.sendJob(HARD)
        const before = workerTime(miner)
        while (workerTime(miner) - before < 20e6) await Bun.sleep(5)
        const pausedAt = performance.now()
        miner.kill("SIGUSR1")
        stopped.push(await workedUntil(miner, pausedAt))
        const job = peer.sendJob(1n)
        // Nothing is sealed in a pause; the job is read meanwhile.
        await workedUntil(miner, performance.now())
        expect(peer.results.some(({ result }) => result.job_id === job.id)).toBe(false)
        const resumedAt = performance.now()
        miner.kill("SIGUSR2")
        const { result, at } = await peer.resultOf(job.id)
        expect(isValid(job, result)).toBe(true)
        resumed.push(at - resumedAt)
      }
    } finally {
      await miner.stop()
      await node.close()
    }
    figure("from a pause until the worker uses no CPU, to 10 ms", distribution(stopped))
    figure("from the end of a pause to a seal at the node", distribution(resumed))
    expect(quantile(stopped, 0.5)).toBeLessThan(STOPPED)
    expect(quantile(resumed, 0.5)).toBeLessThan(RESUMED)
  },
  120_000,
)
