import { expect, test } from "bun:test"
import { describeKind, kindsAmong } from "../../src/host/core-kinds.ts"

const kinds = [
  { name: "P cores", cpus: [0, 1, 2, 3] },
  { name: "E cores", cpus: [4, 5] },
]

test("only kinds that have some of the CPUs count, with these CPUs", () => {
  expect(kindsAmong(kinds, [5, 1, 9])).toEqual([
    { name: "P cores", cpus: [1] },
    { name: "E cores", cpus: [5] },
  ])
})

test("CPUs of one kind are alike", () => {
  expect(kindsAmong(kinds, [0, 1])).toEqual([])
  expect(kindsAmong([], [0, 1])).toEqual([])
})

test("a kind is described with its CPUs", () => {
  expect(kinds.map(describeKind)).toEqual(["P cores (CPUs 0-3)", "E cores (CPUs 4-5)"])
})
