import type { Kernel } from "../../kernel/kernel.ts"
import { createWasmKernel } from "../../kernel/wasm/wasm-kernel.ts"
import { createX64Kernel } from "../../kernel/x64/x64-kernel.ts"

/** Makes a kernel for the calling thread. @throws UnsupportedKernel where it cannot run here */
export type CreateKernel = () => Promise<Kernel>

export type KernelTable = Readonly<Record<string, CreateKernel>>

/** Every kernel that a CPU worker can run, by the name that `--engine` knows it by; usually fastest first. */
export const KERNELS: KernelTable = {
  avx512: async () => createX64Kernel("avx512"),
  "avx512-limbs": async () => createX64Kernel("avx512-limbs"),
  avx2: async () => createX64Kernel("avx2"),
  wasm: () => createWasmKernel("wasm"),
  "wasm-narrow": () => createWasmKernel("wasm-narrow"),
}

/** Kernels that are worth a try only where another one cannot run: they are slower wherever both can. */
export const FALLBACK_OF: Readonly<Record<string, string>> = {
  "wasm-narrow": "wasm",
}
