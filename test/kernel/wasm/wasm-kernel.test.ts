import { createWasmKernel } from "../../../src/kernel/wasm/wasm-kernel.ts"
import { kernelSuite } from "../kernel-suite.ts"

for (const name of ["wasm", "wasm-narrow"] as const) kernelSuite(name, async () => createWasmKernel(name))
