/** Entry of NVML's thread: an entry point of its own in the built executable. */
import { serveNvml } from "./serve.ts"

serveNvml()
