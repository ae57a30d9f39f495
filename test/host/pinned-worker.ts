/** Pins itself to the CPU it is sent and answers where it may run then. */
import { setThreadAffinity, threadAffinity } from "../../src/host/affinity.ts"

declare const self: Worker

self.onmessage = event => {
  const pinned = setThreadAffinity([event.data])
  postMessage({ pinned, affinity: threadAffinity() })
}
