/** Entry point of a CPU worker's thread. */
import { KERNELS } from "./kernels.ts"
import { serveCpuWorker } from "./worker-main.ts"

serveCpuWorker(KERNELS)
