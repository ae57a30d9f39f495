/** Binds its thread to the CPU in the message and replies with the resulting affinity. */
import { setThreadAffinity, threadAffinity } from "../../../src/host/linux/affinity.ts"

declare const self: Worker

self.onmessage = event => {
  const isBound = setThreadAffinity([event.data])
  postMessage({ isBound, affinity: threadAffinity() })
}
