/**
 * The monitoring of a miner without mining: four workers that count by the clock. Prints its port and runs until killed.
 * TOKEN is the token that clients must send; open if absent.
 */
import { systemClock } from "../../src/clock.ts"
import type { Unit } from "../../src/engines/engine.ts"
import { serveMonitoring } from "../../src/observe/monitoring.ts"
import { Stats } from "../../src/observe/stats.ts"
import { fakeJob, fakeSeal, NODE, POOL } from "../observe/support.ts"
import { collectLog } from "../support/collect-log.ts"

/** Hashes per second of one worker. */
const RATE = 250_000

const { TOKEN } = process.env
const start = systemClock.now()
const tested = () => ((systemClock.now() - start) / 1000) * RATE
const units = Array.from({ length: 4 }, (_, index): Unit => {
  return {
    id: `avx2/${index}`,
    kind: "cpu",
    sequence: 1,
    get hashes() {
      return BigInt(Math.floor(tested()))
    },
    get expectedSeals() {
      return tested() / 1e6
    },
  }
})
const stats = new Stats({ clock: systemClock, log: collectLog(), version: "1.2.3", units: () => units })
stats.effectiveCpus({ count: 8, mask: "0-7", decidedBy: "cpuset" })
stats.source(NODE)
stats.source(POOL)
stats.connected(NODE)
stats.disconnected("refused", "connection refused", 1000, POOL)
const job = fakeJob("70655", { difficulty: 1_000_000n, receivedAt: systemClock.now(), afterSeal: "continue" })
stats.job(job)
setInterval(() => stats.seal(fakeSeal(job), { result: "accepted" }, 0.002), 1000)

const { port } = await serveMonitoring({
  stats,
  clock: systemClock,
  log: collectLog(),
  host: "127.0.0.1",
  port: 0,
  token: TOKEN === undefined ? undefined : { read: () => TOKEN },
  setPaused() {},
})
console.log(port)
