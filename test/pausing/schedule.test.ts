import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { isWithin, localTime, parseSchedule } from "../../src/pausing/schedule.ts"

const [SUN, MON, , , , FRI, SAT] = [0, 1, 2, 3, 4, 5, 6] as const

/** Whether the schedule contains `HH:MM` of a day. */
function contains(schedule: string, day: number, time: string): boolean {
  const [hours, minutes] = time.split(":").map(Number)
  return isWithin(parseSchedule(schedule), { day, minute: 60 * hours! + minutes! })
}

describe("a window", () => {
  test("contains its first minute, and ends before its last", () => {
    expect(contains("08:00-17:30", MON, "07:59")).toBe(false)
    expect(contains("08:00-17:30", MON, "08:00")).toBe(true)
    expect(contains("08:00-17:30", MON, "17:29")).toBe(true)
    expect(contains("08:00-17:30", MON, "17:30")).toBe(false)
  })

  test("across midnight belongs to the day on which it starts", () => {
    const nights = "Mon-Fri 19:00-07:00"
    expect(contains(nights, FRI, "23:00")).toBe(true)
    expect(contains(nights, SAT, "06:59")).toBe(true)
    expect(contains(nights, SAT, "19:00")).toBe(false)
    expect(contains(nights, SUN, "23:00")).toBe(false)
    expect(contains(nights, MON, "06:00")).toBe(false)
  })

  test("can be a whole day, and several are added", () => {
    const text = "Mon-Fri 19:00-07:00; Sat,Sun 00:00-24:00"
    expect(contains(text, SAT, "12:00")).toBe(true)
    expect(contains(text, SUN, "23:59")).toBe(true)
    expect(contains(text, MON, "12:00")).toBe(false)
  })

  test("has days in any case, whole or short, and ranges around the weekend", () => {
    expect(contains("friday-mon 10:00-11:00", SUN, "10:00")).toBe(true)
    expect(contains("FRI-MON 10:00-11:00", 3, "10:00")).toBe(false)
  })
})

test.each([
  ["", '"" is not DAYS HH:MM-HH:MM'],
  ["Mon 8-10", '"8" is not a time from 00:00 to 24:00'],
  ["Mon 08:00-25:00", '"25:00" is not a time'],
  ["Mon 08:60-09:00", '"08:60" is not a time'],
  ["Mo 08:00-09:00", '"Mo" is not a day'],
  ["Mon-Tue-Wed 08:00-09:00", '"Mon-Tue-Wed" is not a range of days'],
  ["08:00-08:00", '"08:00-08:00" is empty: a whole day is 00:00-24:00'],
  ["24:00-08:00", '"24:00" is not the start'],
  ["Mon 08:00-09:00;", '"" is not DAYS HH:MM-HH:MM'],
  ["Monster 08:00-09:00", '"Monster" is not a day'],
])("%p is refused, with the mistake", (text, mistake) => {
  expect(() => parseSchedule(text)).toThrow(mistake)
})

test("a window and its complement share no minute and leave none", () => {
  const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  const text = ([hours, minutes]: [number, number]) => [hours, minutes].map(n => String(n).padStart(2, "0")).join(":")
  fc.assert(
    fc.property(
      time,
      time,
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 1439 }),
      (from, to, day, minute) => {
        const [start, end] = [text(from), text(to)]
        fc.pre(start !== end)
        const inside = isWithin(parseSchedule(`${start}-${end}`), { day, minute })
        expect(isWithin(parseSchedule(`${end}-${start}`), { day, minute })).toBe(!inside)
      },
    ),
  )
})

test("local time is the wall clock's, on both sides of a clock change", () => {
  // The minute is read from the wall clock, so a window ends at its time whatever the length of the day.
  expect(localTime(new Date(2026, 2, 29, 1, 59))).toEqual({ day: SUN, minute: 119 })
  expect(localTime(new Date(2026, 2, 29, 12, 0))).toEqual({ day: SUN, minute: 720 })
})
