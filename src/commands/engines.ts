import type { Clock } from "../clock.ts"
import { CpuEngine } from "../engines/cpu/cpu-engine.ts"
import type { Engine } from "../engines/engine.ts"
import type { Log } from "../log.ts"

export async function openEngines(workers: number, { clock, log }: { clock: Clock; log: Log }): Promise<Engine[]> {
  return [
    new CpuEngine({ kernel: "wasm", workers, random: n => crypto.getRandomValues(new Uint8Array(n)), clock, log }),
  ]
}
