import { createKernel } from "../../src/engines/cpu/kernels.ts"
import { UnsupportedKernel } from "../../src/kernel/kernel.ts"

/** Why a kernel cannot run on this machine; undefined: it can. */
export function refusalOf(name: string): string | undefined {
  try {
    createKernel(name).close()
    return undefined
  } catch (error) {
    if (error instanceof UnsupportedKernel) return error.message
    throw error
  }
}
