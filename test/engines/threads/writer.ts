/** A thread that assigns works without end, each with one byte and one number all over. */
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const memory = new SharedMemory(data)
  for (let sequence = 1; sequence <= 20_000; sequence++) {
    memory.assign({
      sequence,
      assignedAt: 0,
      perHash: 1,
      top: BigInt(sequence),
      header: new Uint8Array(32).fill(sequence & 0xff),
      prefix: new Uint8Array(0),
      range: undefined,
      stopAtCandidate: false,
    })
  }
}
