import { expect, test } from "bun:test"
import { Account } from "../../src/miner/account.ts"

test("hashes are settled from seal to seal", () => {
  const account = new Account(0)
  expect(account.settle(100n, 2000)).toEqual({ hashes: 100n, seconds: 2 })
  expect(account.settle(150n, 2500)).toEqual({ hashes: 50n, seconds: 0.5 })
  expect(account.hashes).toBe(150n)
})

test("a seal took at least one hash, which the next period lacks", () => {
  const account = new Account(0)
  const totals: [counted: bigint, hashes: bigint][] = [
    [100n, 100n],
    [100n, 1n],
    [100n, 1n],
    [110n, 8n],
  ]
  for (const [counted, hashes] of totals) expect(account.settle(counted, 0, 1n).hashes).toBe(hashes)
})

test("what a work counted since the last seal belongs to the next seal, whatever work finds it", () => {
  const account = new Account(0)
  account.settle(100n, 0)
  account.endWork(130n)
  account.endWork(7n)
  expect(account.settle(5n, 0).hashes).toBe(42n)
  account.rest()
  expect(account.settle(3n, 0).hashes).toBe(3n)
})

test("what a lost engine counted stays in the period, also if a part was settled before", () => {
  const account = new Account(0)
  account.settle(60n, 0)
  // 100 counted by two engines; the one that is lost counted 70 of them.
  account.loseEngine(70n)
  expect(account.settle(30n, 0).hashes).toBe(40n)
  account.endWork(35n)
  expect(account.settle(0n, 0).hashes).toBe(5n)
})
