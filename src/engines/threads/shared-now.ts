/** Milliseconds on a clock that all threads of the process share. */
export const sharedNow = (): number => performance.timeOrigin + performance.now()
