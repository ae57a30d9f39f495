import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { formatCpulist, parseCpulist } from "../../src/host/cpulist.ts"

const seed = 20261123
const cpu = fc.integer({ min: 0, max: 8191 })

describe("parseCpulist", () => {
  test.each([
    ["0", [0]],
    ["0-3,8,10-11", [0, 1, 2, 3, 8, 10, 11]],
    ["0-3,8,10-11\n", [0, 1, 2, 3, 8, 10, 11]],
    ["0-10:2/4", [0, 1, 4, 5, 8, 9]],
    ["1-7:1/2", [1, 3, 5, 7]],
    ["0-3:4/4", [0, 1, 2, 3]],
    ["5,1-2,2,0", [0, 1, 2, 5]],
    ["8191", [8191]],
  ])("%j", (text, cpus) => {
    expect(parseCpulist(text)).toEqual({ kind: "cpus", cpus })
  })

  test.each(["", "\n", " \t\n", "0-3:0/4"])("no CPUs: %j", text => {
    expect(parseCpulist(text)).toEqual({ kind: "empty" })
  })

  test.each([
    ["abc", '"abc" is neither a CPU nor a range of CPUs'],
    ["0-", '"0-" is neither a CPU nor a range of CPUs'],
    ["-1", '"-1" is neither a CPU nor a range of CPUs'],
    ["0,,1", '"" is neither a CPU nor a range of CPUs'],
    ["0 1", '"0 1" is neither a CPU nor a range of CPUs'],
    ["0x3", '"0x3" is neither a CPU nor a range of CPUs'],
    ["5:1/2", '"5:1/2" is neither a CPU nor a range of CPUs'],
    ["0-3:1", '"0-3:1" is neither a CPU nor a range of CPUs'],
    ["3-0", 'the range "3-0" ends before it starts'],
    ["0-3:1/0", 'the stride of "0-3:1/0" takes 1 of every 0 CPUs'],
    ["0-3:3/2", 'the stride of "0-3:3/2" takes 3 of every 2 CPUs'],
    ["0-99999999999999999999", '"0-99999999999999999999" goes beyond CPU 8191'],
    ["8192", '"8192" goes beyond CPU 8191'],
  ])("malformed: %j", (text, reason) => {
    expect(parseCpulist(text)).toEqual({ kind: "malformed", reason })
  })

  test("never throws and returns ascending, distinct CPUs", () => {
    const unit = fc.constantFrom(..."0123456789,-:/ \nx")
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 20 }), text => {
        const list = parseCpulist(text)
        if (list.kind !== "cpus") return
        expect(list.cpus.length).toBeGreaterThan(0)
        expect(list.cpus).toEqual([...new Set(list.cpus)].sort((a, b) => a - b))
      }),
      { seed },
    )
  })

  test("a stride selects the first CPUs of each group", () => {
    const shape = fc.tuple(fc.nat(300), fc.nat(60), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
    fc.assert(
      fc.property(shape, ([first, length, a, b]) => {
        const [used, group] = [Math.min(a, b), Math.max(a, b)]
        const expected: number[] = []
        for (let start = first; start <= first + length; start += group) {
          for (let i = 0; i < used && start + i <= first + length; i++) expected.push(start + i)
        }
        expect(parseCpulist(`${first}-${first + length}:${used}/${group}`)).toEqual({ kind: "cpus", cpus: expected })
      }),
      { seed },
    )
  })
})

describe("formatCpulist", () => {
  test.each([
    [[], ""],
    [[3], "3"],
    [[11, 10, 8, 3, 2, 1, 0], "0-3,8,10-11"],
    [[1, 1, 2], "1-2"],
  ])("%j", (cpus, text) => {
    expect(formatCpulist(cpus)).toBe(text)
  })

  test("parses back to the same CPUs", () => {
    fc.assert(
      fc.property(fc.uniqueArray(cpu, { minLength: 1, maxLength: 60 }), fc.constantFrom("", "\n"), (cpus, end) => {
        const sorted = [...cpus].sort((a, b) => a - b)
        expect(parseCpulist(formatCpulist(cpus) + end)).toEqual({ kind: "cpus", cpus: sorted })
      }),
      { seed },
    )
  })

  test("formats a parsed canonical text unchanged", () => {
    fc.assert(
      fc.property(fc.uniqueArray(cpu, { minLength: 1, maxLength: 60 }), cpus => {
        const text = formatCpulist(cpus)
        const list = parseCpulist(text)
        expect(list.kind === "cpus" && formatCpulist(list.cpus)).toBe(text)
      }),
      { seed },
    )
  })
})
