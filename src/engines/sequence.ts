let last = 0

/** The next work's sequence number, unique in this process across engines. */
export const nextSequence = (): number => (last += 1)
