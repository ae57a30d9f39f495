/** Weekly time windows in local time: `Mon-Fri 19:00-07:00; Sat,Sun 00:00-24:00`. */

/** A day and a time of local time. */
export interface LocalTime {
  /** 0 (Sunday) … 6 (Saturday) */
  readonly day: number
  /** Minutes since midnight, 0 … 1439. */
  readonly minute: number
}

/** A window that starts on each of `days`; `end` is at most `start` for a window that ends on the next day. */
export interface Window {
  /** 0 (Sunday) … 6 (Saturday) */
  readonly days: ReadonlySet<number>
  /** Minutes since midnight, 0 … 1439; the first minute of the window. */
  readonly start: number
  /** Minutes since midnight, 1 … 1440; the first minute after the window. */
  readonly end: number
}

export type Schedule = readonly Window[]

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
const DAY_MINUTES = 1440

/**
 * Parses windows separated by semicolons: days (names, ranges, separated by commas; every day if absent) and a time range.
 * @throws RangeError that quotes the part that is wrong
 */
export function parseSchedule(text: string): Schedule {
  return text.split(";").map(part => parseWindow(part.trim()))
}

/** Whether a window contains the local time. */
export function isWithin(schedule: Schedule, { day, minute }: LocalTime): boolean {
  const yesterday = (day + 6) % 7
  return schedule.some(({ days, start, end }) => {
    if (end > start) return days.has(day) && minute >= start && minute < end
    return (days.has(day) && minute >= start) || (days.has(yesterday) && minute < end)
  })
}

export function localTime(date: Date): LocalTime {
  return { day: date.getDay(), minute: 60 * date.getHours() + date.getMinutes() }
}

function parseWindow(part: string): Window {
  const [, days, start, end] = /^(?:([A-Za-z,\s-]+?)\s+)?([^\s-]+)\s*-\s*([^\s-]+)$/.exec(part) ?? []
  if (start === undefined || end === undefined) throw new RangeError(`"${part}" is not DAYS HH:MM-HH:MM`)
  const window = { days: parseDays(days), start: minuteOf(start), end: minuteOf(end) }
  if (window.start === DAY_MINUTES) throw new RangeError(`"${start}" is not the start of a window: use 00:00`)
  if (window.start === window.end) throw new RangeError(`"${part}" is empty: a whole day is 00:00-24:00`)
  return window
}

function parseDays(text = "Sun-Sat"): ReadonlySet<number> {
  const days = new Set<number>()
  for (const part of text.split(",")) {
    const [first = "", last = first, ...rest] = part.trim().split(/\s*-\s*/)
    if (rest.length > 0) throw new RangeError(`"${part.trim()}" is not a range of days such as Mon-Fri`)
    const to = dayOf(last)
    for (let day = dayOf(first); ; day = (day + 1) % 7) {
      days.add(day)
      if (day === to) break
    }
  }
  return days
}

function dayOf(name: string): number {
  const day = DAYS.indexOf(name.toLowerCase().slice(0, 3))
  if (day < 0 || !/^(?:[a-z]{3}|(?:sun|mon|fri)day|tuesday|wednesday|thursday|saturday)$/i.test(name)) {
    throw new RangeError(`"${name}" is not a day: use Mon, Tue, Wed, Thu, Fri, Sat or Sun`)
  }
  return day
}

function minuteOf(time: string): number {
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(time) ?? []
  const minute = 60 * Number(hours) + Number(minutes)
  if (hours === undefined || Number(minutes) > 59 || minute > DAY_MINUTES) {
    throw new RangeError(`"${time}" is not a time from 00:00 to 24:00`)
  }
  return minute
}
