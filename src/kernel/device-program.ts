/**
 * The kernels of a GPU's program, in whichever language it is rendered. Every kernel runs in one dimension; a thread's
 * index is its place in the whole launch, and threads use a grid-stride loop, so a launch may have fewer threads than
 * nonces. Elements are 64-bit words, little-endian; stored elements are canonical.
 *
 * | Kernel | Threads | Arguments | Does |
 * |---|---|---|---|
 * | `permute` | any; each does the same | 12 × u64 state, out | the permutation; 12 words to `out` |
 * | `columns` | any | 12 × u64 state, out | the column parts of the plane around `state`, `[element][t1]` |
 * | `rows` | any | 12 × u64 state, u32 first, u32 count, out | the row parts of t0 = first …, `[row][element]` |
 * | `search` | any | rows, columns, u32 row count, u64 top, hits | tests all crossings, `index = row · ROW + t1` |
 * | `range` | any | 12 × u64 state, u32 first, u32 count, u64 top, hits | tests `count` nonces, `index` is the offset |
 *
 * `hits` are u32: the number of hits, which may exceed `HITS`, then the indexes of the first `HITS` in arrival order.
 * The states are those of `Kernel.preparePlane` and `Kernel.prepareRange`.
 */

export const DEVICE_KERNELS = ["permute", "columns", "rows", "search", "range"] as const

export type DeviceKernel = (typeof DEVICE_KERNELS)[number]

/** Indexes that a launch can report; more than a row has nonces, so that a single row never overflows. */
export const HITS = 1023

/** Bytes of the hit buffer: the count and the indexes. */
export const HITS_BYTES = 4 * (1 + HITS)

/** The largest launch in nonces: a 32-bit index leaves room for a thread's last step past the end. */
export const MAX_NONCES = 2 ** 31
