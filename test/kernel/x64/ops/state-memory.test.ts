import { expect, test } from "bun:test"
import { StateMemory } from "../../../../src/kernel/x64/ops/state-memory.ts"
import { beginRoutine } from "../../../../src/kernel/x64/program/render.ts"
import { avx2 } from "../../../../src/kernel/x64/program/render-targets.ts"
import { Vectors } from "../../../../src/kernel/x64/registers/vectors.ts"

const LOADS = 4
const STORES = 4

function setUp() {
  const { routine } = beginRoutine(avx2)
  const memory = new StateMemory(new Vectors(routine, 256), 0)
  const instructions = () => {
    routine.control("ret")
    return routine.statistics.instructions
  }
  return { load: () => memory.load(12, i => ({ i })), store: memory.store.bind(memory), instructions }
}

test("elements that are already in place are neither loaded nor stored", () => {
  const { load, store, instructions } = setUp()
  store(load())
  expect(instructions()).toBe(0)
})

test("elements that swap places are both loaded before either is overwritten", () => {
  const { load, store, instructions } = setUp()
  const [a, b, ...rest] = load()
  store([b!, a!, ...rest])
  expect(instructions()).toBe(LOADS + STORES)
})

test("an element is loaded only once", () => {
  const { load, store, instructions } = setUp()
  const [a, ...rest] = load()
  const { low, high } = a!
  store([{ low: a!.low, high: a!.high }, ...rest])
  expect([low, high]).toEqual([a!.low, a!.high])
  expect(instructions()).toBe(2 + 2)
})

test("an element cannot be read after its state changed", () => {
  const { load } = setUp()
  const [a] = load()
  load()
  expect(() => a!.low).toThrow("an element was read after its state changed")
})
