/** The search by which misses are counted: a plane with a target that half of all hashes meet. */
import type { Kernel } from "../../src/kernel/kernel.ts"
import { planeBase, planeNonce, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"

/** Half of all hashes are at or below it, so one wrong result in `SHOWS` shows. */
const HALF = 2n ** 63n
const SHOWS = 2

const header = new Uint8Array(32).map((_, i) => 3 * i + 1)
const base = planeBase(new Uint8Array(64).map((_, i) => 7 * i + 5))

/** Prepares a kernel for the plane. @param other computes the midstate */
export function prepare(kernel: Kernel, other: Kernel): void {
  kernel.preparePlane(spongeBeforeLast(header, base, state => other.permute(state)))
  kernel.setTarget(HALF)
}

/** Whether a nonce of the plane is a hit by the specification. */
export const isHit = (t0: number, t1: number): boolean =>
  new DataView(nonceHash(header, planeNonce(base, t0, t1)).buffer).getBigUint64(0) <= HALF

/** Misses per nonce, of which `wrong` were seen among `nonces`. */
export const missRate = (wrong: number, nonces: number): number => (SHOWS * wrong) / nonces

/** The highest rate that a kernel with a miss in a million nonces shows, but for one run in a thousand. */
export const maxMissRate = (nonces: number): number => 1e-6 + 3 * Math.sqrt(1e-6 / nonces)
