import { expect, test } from "bun:test"
import { isNearMiss, isNonceOf, JobSearch } from "../../src/miner/job-search.ts"
import { integerToBytes } from "../../src/pow/u512.ts"
import type { Job } from "../../src/sources/source.ts"

const job: Job = {
  id: "1",
  source: "quic://node:9833",
  header: new Uint8Array(32).fill(1),
  difficulty: 1000n,
  prefix: Uint8Array.of(1, 2),
  afterSeal: "wait",
  receivedAt: 0,
}

test("a job sent again continues its search if all relevant fields are equal", () => {
  const copy = { ...job, header: job.header.slice(), prefix: job.prefix.slice(), receivedAt: 5 }
  expect(new JobSearch(job).isOf(copy)).toBe(true)
  const others: Partial<Job>[] = [
    { id: "2" },
    { source: "quic://other:9833" },
    { header: new Uint8Array(32).fill(2) },
    { difficulty: 1001n },
    { target: 5n },
    { prefix: Uint8Array.of(1) },
    { afterSeal: "continue" },
    { range: { first: 0n, last: 1n } },
  ]
  for (const other of others) expect(new JobSearch(job).isOf({ ...copy, ...other })).toBe(false)
})

test("a nonce belongs to a job by its prefix and its range", () => {
  const nonce = integerToBytes((0x0102n << 496n) + 5n)
  expect(isNonceOf(job, nonce)).toBe(true)
  expect(isNonceOf({ ...job, prefix: Uint8Array.of(1, 3) }, nonce)).toBe(false)
  const ranged = (first: bigint, last: bigint) => ({ ...job, prefix: new Uint8Array(0), range: { first, last } })
  expect(isNonceOf(ranged(5n, 6n), integerToBytes(5n))).toBe(true)
  expect(isNonceOf(ranged(5n, 6n), integerToBytes(6n))).toBe(true)
  expect(isNonceOf(ranged(5n, 6n), integerToBytes(4n))).toBe(false)
  expect(isNonceOf(ranged(5n, 6n), integerToBytes(7n))).toBe(false)
})

test("a hash that equals the target in the compared 64 bits is a near miss", () => {
  const target = (7n << 448n) + 100n
  expect(isNearMiss(integerToBytes(target), target)).toBe(true)
  expect(isNearMiss(integerToBytes((8n << 448n) - 1n), target)).toBe(true)
  expect(isNearMiss(integerToBytes(8n << 448n), target)).toBe(false)
})

test("a nonce can be sealed only once", () => {
  const search = new JobSearch(job)
  expect(search.addSeal(integerToBytes(1n))).toBe(true)
  expect(search.addSeal(integerToBytes(2n))).toBe(true)
  expect(search.addSeal(integerToBytes(1n))).toBe(false)
  expect(search.seals).toBe(2)
})
