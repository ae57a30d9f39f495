/**
 * What a GPU's program offers, whichever language it is rendered in. All kernels run in one dimension; a thread's
 * index is its place in the whole launch. Elements are words of 64 bits, little-endian; what is stored is canonical.
 *
 * | Kernel | Threads | Arguments | Does |
 * |---|---|---|---|
 * | `permute` | any, all alike | 12 × u64 state, out | the permutation; 12 words to `out` |
 * | `columns` | any | 12 × u64 state, out | the columns' parts of the plane around `state`, `[element][t1]` |
 * | `rows` | any | 12 × u64 state, u32 first, u32 count, out | the rows' parts of t0 = first …, `[row][element]` |
 * | `search` | any | rows, columns, u32 row count, u64 top, hits | tests all crossings, `index = row · ROW + t1` |
 * | `range` | any | 12 × u64 state, u32 first, u32 count, u64 top, hits | tests `count` nonces, `index` their offset |
 *
 * `hits` are u32: first how many there are, which may be more than fit, then the indexes of the first `HITS` that came,
 * in no order. The states are those of `Kernel.preparePlane` and `Kernel.prepareRange`. A launch may have fewer threads
 * than nonces: a thread goes on with every so-manieth one.
 */

export const DEVICE_KERNELS = ["permute", "columns", "rows", "search", "range"] as const

export type DeviceKernel = (typeof DEVICE_KERNELS)[number]

/** Indexes that a launch can report; more than a row has nonces, so that a single row never overflows. */
export const HITS = 1023

/** Bytes of the hit buffer: the count and the indexes. */
export const HITS_BYTES = 4 * (1 + HITS)

/** Nonces of one launch, at most: an index fits 32 bits with room for a thread's last step beyond the end. */
export const MOST_NONCES = 2 ** 31
