import { expect, test } from "bun:test"
import { Account } from "../../src/miner/account.ts"

test("hashes are settled from seal to seal", () => {
  const account = new Account(0)
  expect(account.settle(100n, 2000)).toEqual({ hashes: 100n, seconds: 2 })
  expect(account.settle(150n, 2500)).toEqual({ hashes: 50n, seconds: 0.5 })
  expect(account.hashes).toBe(150n)
})

test("a seal counts at least one hash, subtracted from the next period if uncounted", () => {
  const account = new Account(0)
  const totals: [counted: bigint, hashes: bigint][] = [
    [100n, 100n],
    [100n, 1n],
    [100n, 1n],
    [110n, 8n],
  ]
  for (const [counted, hashes] of totals) expect(account.settle(counted, 0, 1n).hashes).toBe(hashes)
})

test("hashes since the last seal belong to the next seal, even of a later work", () => {
  const account = new Account(0)
  account.settle(100n, 0)
  account.endWork(130n)
  account.endWork(7n)
  expect(account.settle(5n, 0).hashes).toBe(42n)
  account.rest()
  expect(account.settle(3n, 0).hashes).toBe(3n)
})

test("the hashes of a lost engine stay in the period, also if part of them was settled before", () => {
  const account = new Account(0)
  account.settle(60n, 0)
  // Two engines counted 100 together; the lost one counted 70 of them.
  account.loseEngine(70n)
  expect(account.settle(30n, 0).hashes).toBe(40n)
  account.endWork(35n)
  expect(account.settle(0n, 0).hashes).toBe(5n)
})
