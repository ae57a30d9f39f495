/**
 * A long life in a short time: jobs, reconnects and scrapes. `ENDURANCE_JOBS=200000` is the life of two hours; by
 * default it is a hundredth of that.
 */
import { expect, test } from "bun:test"
import { freeTcpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { startScriptedNode } from "./scripted-node.ts"

const { ENDURANCE_JOBS = "2000" } = process.env
const JOBS = Number(ENDURANCE_JOBS)
/** 5,000 reconnects and 1,000 scrapes in 200,000 jobs. */
const JOBS_A_CONNECTION = 40
const JOBS_A_SCRAPE = 200

test(
  "memory and descriptors do not grow",
  async () => {
    const node = await startScriptedNode()
    const metricsPort = freeTcpPort()
    const miner = new MinerProcess(
      ["serve", "--node-addr", `127.0.0.1:${node.port}`, `--metrics-port=${metricsPort}`, ...node.credentials],
      // The collector runs as on a small machine, so that what is resident at rest is what is in use.
      { env: { BUN_JSC_forceRAMSize: `${256 * 2 ** 20}` } },
    )
    let scrapes = 0
    const life: { memory: number; descriptors: number }[] = []
    const slice = Math.max(1, Math.floor(JOBS / 20))
    for (let i = 0; i < JOBS; i++) {
      const connection = Math.floor(i / JOBS_A_CONNECTION)
      const peer = await node.peer(connection)
      const job = peer.sendJob(100n)
      await peer.resultOf(job.id)
      if (i % JOBS_A_SCRAPE === 0) {
        const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
        expect(await answer.text()).toContain("miner_hashes_total")
        scrapes++
      }
      if (i + 1 === slice || i + 1 === JOBS) life.push(await atRest(miner))
      if ((i + 1) % JOBS_A_CONNECTION === 0) {
        peer.close()
        await peer.closed()
      }
    }
    const [early, late] = [life[0]!, life.at(-1)!]
    const grown = (late.memory / early.memory - 1) * 100
    figure(
      `${JOBS} jobs, ${Math.floor(JOBS / JOBS_A_CONNECTION)} reconnects, ${scrapes} scrapes`,
      `memory ${mebibytes(early.memory)} MiB after 5 %, ${mebibytes(late.memory)} MiB at the end (${grown.toFixed(1)} %), descriptors ${early.descriptors} and ${late.descriptors}`,
    )
    expect(late.descriptors).toBeLessThanOrEqual(early.descriptors)
    expect(grown).toBeLessThan(10)
    expect(await miner.stop()).toBe(0)
    await node.close()
  },
  3 * 3600_000,
)

/** What is left once the collector has had its time: nothing is to be done after a seal. */
async function atRest(miner: MinerProcess): Promise<{ memory: number; descriptors: number }> {
  const memory: number[] = []
  for (let look = 0; look < REST_LOOKS; look++) {
    await Bun.sleep(500)
    memory.push(miner.memory)
  }
  return { memory: Math.min(...memory), descriptors: miner.descriptors }
}

const REST_LOOKS = 20

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
