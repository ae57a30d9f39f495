/**
 * A long life in a short time: jobs, reconnects and scrapes. `ENDURANCE_JOBS=200000` is the life of two hours; by
 * default it is a hundredth of that.
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { freeTcpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { startScriptedNode } from "./scripted-node.ts"

const MAIN = join(import.meta.dir, "../../src/main.ts")

const { ENDURANCE_JOBS = "2000" } = process.env
const JOBS = Number(ENDURANCE_JOBS)
/** In the first jobs the runtime compiles hot code, which stays. */
const WARM_UP_JOBS = 600
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
      // From its source: the executable accepts no preload.
      { program: [process.execPath, "--preload", join(import.meta.dir, "collect-on-signal.ts"), MAIN] },
    )
    let scrapes = 0
    const life: Measured[] = []
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
      if ((i + 1) % slice === 0) {
        life.push(await measure(miner))
        console.log(`after ${i + 1} jobs: ${describe(life.at(-1)!)}`)
      }
      if ((i + 1) % JOBS_A_CONNECTION === 0) {
        peer.close()
        await peer.closed()
      }
    }
    const first = life.findIndex((_, i) => (i + 1) * slice >= WARM_UP_JOBS)
    const [early, late] = [life[first]!, life.at(-1)!]
    const grown = (late.heap / early.heap - 1) * 100
    figure(
      `${JOBS} jobs, ${Math.floor(JOBS / JOBS_A_CONNECTION)} reconnects, ${scrapes} scrapes`,
      `after ${(first + 1) * slice}: ${describe(early)}; at the end: ${describe(late)}; the heap grew by ${grown.toFixed(1)} %`,
    )
    expect(late.descriptors).toBeLessThanOrEqual(early.descriptors)
    expect(late.workers).toBe(early.workers)
    expect(grown).toBeLessThan(10)
    expect(await miner.stop()).toBe(0)
    await node.close()
  },
  3 * 3600_000,
)

interface Measured {
  /** Bytes in use after a full collection. */
  readonly heap: number
  /** Bytes, with what the allocator keeps. */
  readonly resident: number
  readonly descriptors: number
  readonly workers: number
}

async function measure(miner: MinerProcess): Promise<Measured> {
  const from = miner.lines.length
  miner.kill("SIGUSR2")
  const { text } = await miner.line(/^memory:/, from)
  const [heap, resident] = text.match(/\d+/g)!.map(Number)
  return { heap: heap!, resident: resident!, descriptors: miner.descriptors, workers: miner.workers.length }
}

const describe = ({ heap, resident, descriptors, workers }: Measured): string =>
  `${mebibytes(heap)} MiB of heap, ${mebibytes(resident)} MiB resident, ${descriptors} descriptors, ${workers} workers`

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
