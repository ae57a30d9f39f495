/**
 * The suites of one arm64 kernel, natively on arm64 or under qemu-user, which `arm64.test.ts` starts. Not a test of its own:
 * `bun test ./test/slow/arm64-guest.ts` with the kernel's name in `KERNEL`.
 */
import { createArm64Kernel } from "../../src/kernel/arm64/arm64-kernel.ts"
import type { Arm64KernelName } from "../../src/kernel/arm64/targets.ts"
import { kernelSuite } from "../kernel/kernel-suite.ts"

const name = process.env["KERNEL"] as Arm64KernelName
kernelSuite(name, async () => createArm64Kernel(name))
