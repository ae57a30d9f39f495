/** Entry of a worker thread: an entry point of its own in the built executable. */
import { KERNELS } from "./kernels.ts"
import { serveWorker } from "./worker-main.ts"

serveWorker(KERNELS)
