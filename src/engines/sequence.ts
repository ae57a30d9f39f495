let last = 0

/** The next work's sequence number: never the same twice in this process, whichever engine it is for. */
export const nextSequence = (): number => (last += 1)
