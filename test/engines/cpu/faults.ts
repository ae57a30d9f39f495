/** Top words of targets at which the kernels of `faulty-worker.ts` fail. Nearly every nonce is a candidate at them. */
export const CRASH_FIRST = 2n ** 64n - 2n
export const CRASH_ALL = 2n ** 64n - 3n
export const HANG_FIRST = 2n ** 64n - 4n

export const DIE_LEASING = 2n ** 64n - 5n

/** Rows that are searched before that. */
export const FAULT_AFTER = 3

/** Here no nonce is a candidate, and the first worker claims the end of the search without showing one, and dies. */
export const CLAIM_FIRST = 5n
