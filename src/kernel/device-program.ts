/**
 * The kernels of a GPU program, the same in every language that renders it. Launches are one-dimensional. Threads use a
 * grid-stride loop over indexes, so a launch may have any number of threads. Elements are 64-bit words, little-endian;
 * stored elements are canonical.
 *
 * | Kernel | Arguments | Effect |
 * |---|---|---|
 * | `permute` | 12 × u64 state, out | every thread permutes `state` and writes 12 words to `out` |
 * | `columns` | 12 × u64 state, out | writes the column parts of the plane around `state`, `[element][t1]` |
 * | `rows` | 12 × u64 state, u32 first, u32 count, out | writes the row parts from t0 = `first` on, `[row][element]` |
 * | `search` | rows, columns, u32 row count, u64 top, hits | tests all crossings; index = row · `ROW` + t1 |
 * | `range` | 12 × u64 state, u32 first, u32 count, u64 top, hits | tests `count` nonces; index = offset from `first` |
 *
 * `hits` is an array of u32: the number of hits, which may exceed `HITS`, then the indexes of the first `HITS` hits in
 * order of arrival. `state` is that of `Kernel.preparePlane` or `Kernel.prepareRange`.
 */

/** Names of the kernels in the program. */
export const DEVICE_KERNELS = ["permute", "columns", "rows", "search", "range"] as const

export type DeviceKernel = (typeof DEVICE_KERNELS)[number]

/** Maximum number of indexes that a launch reports. It exceeds the nonces of a row, so one row never overflows. */
export const HITS = 1023

/** Size of the hit buffer in bytes: the count and the indexes. */
export const HITS_BYTES = 4 * (1 + HITS)

/** Maximum nonces of a launch. A thread's last step past the end must not overflow its 32-bit index. */
export const MAX_NONCES = 2 ** 31
