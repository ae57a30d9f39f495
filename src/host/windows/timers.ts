/** The resolution of timers, by default 15.6 ms. */
import { openedOnce } from "../once.ts"
import { openLibrary } from "./libraries.ts"

const signatures = { timeBeginPeriod: { args: ["u32"], returns: "u32" } } as const

const winmm = openedOnce(() => openLibrary("winmm.dll", signatures).symbols)

/** As `Platform.refineTimers`. Windows restores its resolution when the process ends. @returns false if it is refused */
export const refineTimers = (): boolean => winmm()?.timeBeginPeriod(1) === 0
