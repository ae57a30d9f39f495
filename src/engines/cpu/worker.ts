/** Entry point of a CPU worker's thread. */
import { ALL_KERNELS } from "./kernels.ts"
import { serveCpuWorker } from "./worker-main.ts"

serveCpuWorker(ALL_KERNELS)
