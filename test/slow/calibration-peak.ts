/**
 * Mines with 16 workers and prints the peak of its resident memory in bytes.
 *
 *     bun calibration-peak.ts calibrate|mine KERNEL…
 *
 * `calibrate` measures the kernels while it mines, `mine` mines with the first one.
 */
import { readFileSync } from "node:fs"
import { systemClock as clock } from "../../src/clock.ts"
import { benchmarkWork } from "../../src/engines/benchmark-work.ts"
import { calibrate } from "../../src/engines/cpu/calibrate.ts"
import { createCpuEngine } from "../../src/engines/cpu/cpu-engine.ts"
import { U512_MAX } from "../../src/pow/u512.ts"
import { collectLog } from "../support/collect-log.ts"

const WORKERS = 16
const MINE_FOR_MS = 3000

const [mode, ...candidates] = process.argv.slice(2)
const log = collectLog()
const engine = createCpuEngine({
  kernel: candidates[0]!,
  workers: WORKERS,
  random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
  clock,
  log,
})
const ignore = () => {}
await engine.start({ candidate: ignore, exhausted: ignore, switched: ignore, restarted: ignore, failed: ignore })
engine.assign(benchmarkWork(U512_MAX))
if (mode === "calibrate") {
  const { calibration } = await calibrate({ engine, candidates, clock, log })
  if (calibration.kernels.length !== candidates.length) throw new Error(log.texts.join("; "))
}
await Bun.sleep(MINE_FOR_MS)
const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!
console.log(1024 * Number(kibibytes))
process.exit()
