import { expect, test } from "bun:test"
import type { Step } from "../../src/kernel/ops.ts"
import { phasesOf, rollPhases } from "../../src/kernel/phases.ts"
import { hashElement, rowPart } from "../../src/kernel/search.ts"
import { WIDTH } from "../../src/pow/constants.ts"

const same: Step = { apply: (_ops, state) => [...state] }
const other: Step = { apply: (_ops, state) => [...state] }

test("the phases of the hash are those of two permutations", () => {
  const names = phasesOf(hashElement, WIDTH).map(({ step, table }) => `${table.length} × ${step.name}`)
  expect(names).toEqual([
    "3 × external-round",
    "22 × internal-round",
    "4 × external-round",
    "1 × layer",
    "4 × external-round",
    "22 × internal-round",
    "3 × external-round",
    "1 × last-round",
  ])
})

test("a program that does more than apply steps is rejected", () => {
  expect(() => phasesOf((ops, state) => rowPart(ops, state, state[0]!), WIDTH)).toThrow(TypeError)
})

test("rolled phases keep the order of their entries", () => {
  const { main, others, groups } = rollPhases(phasesOf(hashElement, WIDTH).slice(0, -1))
  expect(main.table.length).toBe(14)
  expect(others.map(({ step, table }) => `${table.length} × ${step.name}`)).toEqual([
    "22 × internal-round",
    "1 × layer",
  ])
  expect(groups).toEqual([
    { entries: 3, next: 0, nextEntries: 22 },
    { entries: 4, next: 1, nextEntries: 1 },
    { entries: 4, next: 0, nextEntries: 22 },
    { entries: 3, next: 2, nextEntries: 0 },
  ])
})

test("phases that do not alternate, or whose tables differ, are not rolled", () => {
  const [a, b, c] = [same, other, same].map((step, i) => ({ step, table: [[BigInt(i)]] })) as [never, never, never]
  expect(rollPhases([a, b, c]).groups.length).toBe(2)
  expect(() => rollPhases([a, b])).toThrow(TypeError)
  expect(() => rollPhases([a, b, b])).toThrow(TypeError)
  expect(() => rollPhases([a, b, c, { step: other, table: [[9n]] }, c])).toThrow(TypeError)
})
