/**
 * Prints the nonces of a plane that an arm64 kernel reports, natively on arm64 or under qemu-user, for `arm64.test.ts`:
 * a bit per nonce, 32 bytes per row, in base64.
 *   usage: bun arm64-hits.ts KERNEL ROWS
 */
import { createArm64Kernel } from "../../src/kernel/arm64/arm64-kernel.ts"
import type { Arm64KernelName } from "../../src/kernel/arm64/targets.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { prepare } from "./half-plane.ts"

const [name, rows] = process.argv.slice(2)
const kernel = createArm64Kernel(name as Arm64KernelName)
prepare(kernel, kernel)
const bits = new Uint8Array((Number(rows) * ROW) / 8)
for (let t0 = 0; t0 < Number(rows); t0++) {
  const found = kernel.searchRow(t0)
  for (const t1 of kernel.hits.subarray(0, found)) {
    const nonce = t0 * ROW + t1
    if (t1 < ROW) bits[nonce >> 3]! |= 1 << (nonce & 7)
  }
}
console.log(bits.toBase64())
