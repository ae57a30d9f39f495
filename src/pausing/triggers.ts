/** Conditions of the machine under which the miner pauses. */
import type { Clock } from "../clock.ts"
import type { PauseReason } from "../miner/pauses.ts"
import { isWithin, localTime, type Schedule } from "./schedule.ts"

export interface PauseTrigger {
  readonly reason: PauseReason
  /** Whether the miner should pause; undefined if unknown at the moment, which changes nothing. */
  check(): boolean | undefined | Promise<boolean | undefined>
}

const CHECK_INTERVAL_MS = 1000

/** A paused miner resumes when the CPU is this much cooler than the limit, so that it does not alternate. */
const COOLED_BY_CELSIUS = 5

/**
 * Checks the triggers once per second, one round at a time, and at once.
 * @param set receives each known state
 * @returns a function that ends the checks
 */
export function watchTriggers(
  triggers: readonly PauseTrigger[],
  clock: Clock,
  set: (reason: PauseReason, paused: boolean) => void,
): () => void {
  let isChecking = false
  let isEnded = false
  const check = async () => {
    if (isChecking) return
    isChecking = true
    try {
      for (const trigger of triggers) {
        const paused = await trigger.check()
        if (paused !== undefined && !isEnded) set(trigger.reason, paused)
      }
    } finally {
      isChecking = false
    }
  }
  void check()
  const stop = clock.every(CHECK_INTERVAL_MS, () => void check())
  return () => {
    isEnded = true
    stop()
  }
}

/** Pauses outside the schedule's windows. @param now the wall clock */
export function outsideSchedule(schedule: Schedule, now: () => Date = () => new Date()): PauseTrigger {
  return { reason: "schedule", check: () => !isWithin(schedule, localTime(now())) }
}

/** Pauses while the machine runs on battery. */
export function onBattery(read: () => Promise<boolean | undefined>): PauseTrigger {
  return { reason: "battery", check: read }
}

/** Pauses until the user has been inactive for `seconds`. @param idle seconds since the last input */
export function whileActive(seconds: number, idle: () => Promise<number | undefined>): PauseTrigger {
  return {
    reason: "active",
    async check() {
      const idleSeconds = await idle()
      return idleSeconds === undefined ? undefined : idleSeconds < seconds
    },
  }
}

/** Pauses above `limit` degrees Celsius and until the CPU is five degrees cooler. */
export function aboveTemperature(limit: number, read: () => number | undefined): PauseTrigger {
  let isHot = false
  return {
    reason: "temperature",
    check() {
      const celsius = read()
      if (celsius === undefined) return undefined
      isHot = isHot ? celsius > limit - COOLED_BY_CELSIUS : celsius > limit
      return isHot
    },
  }
}
