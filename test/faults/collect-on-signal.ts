/** Loaded before the miner: on SIGUSR2 it collects all garbage and prints what is left. */
import { heapStats } from "bun:jsc"

process.on("SIGUSR2", () => {
  Bun.gc(true)
  process.stderr.write(`memory: ${heapStats().heapSize} of the heap, ${process.memoryUsage().rss} resident\n`)
})
