import { createX64Kernel } from "../../../src/kernel/x64/x64-kernel.ts"
import { kernelSuite } from "../kernel-suite.ts"

kernelSuite("avx2", async () => createX64Kernel("avx2"))
