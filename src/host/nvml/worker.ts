/** Entry point of the NVML thread; bundled separately in the executable. */
import { serveNvml } from "./serve.ts"

serveNvml()
