import { PAUSE_SIGNALS } from "../early-signals.ts"
import type { Miner } from "../miner/miner.ts"

/** SIGUSR1 pauses mining and SIGUSR2 resumes it. Returns a function that ends this. */
export function pauseOnSignals(miner: Pick<Miner, "setPaused">): () => void {
  const handler = (signal: string) => miner.setPaused("signal", signal === "SIGUSR1")
  for (const signal of PAUSE_SIGNALS) process.on(signal, handler)
  return () => {
    for (const signal of PAUSE_SIGNALS) process.off(signal, handler)
  }
}
