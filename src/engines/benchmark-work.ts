import { targetOf } from "../pow/target.ts"
import type { Work } from "./engine.ts"
import { nextSequence } from "./sequence.ts"

/** Work on a random header, for measurements. @param difficulty 1 … 2^512 − 1, where the maximum yields no candidates */
export function benchmarkWork(difficulty: bigint): Work {
  return {
    sequence: nextSequence(),
    header: crypto.getRandomValues(new Uint8Array(32)),
    target: targetOf(difficulty),
    difficulty,
    prefix: new Uint8Array(),
    stopAtCandidate: false,
  }
}
