/** Answers every message with this thread's shared time. */
import { sharedNow } from "../../../src/engines/threads/shared-now.ts"

declare const self: Worker

self.onmessage = () => self.postMessage(sharedNow())
