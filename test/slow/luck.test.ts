import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { systemClock } from "../../src/clock.ts"
import { type CpuEngine, createCpuEngine } from "../../src/engines/cpu/cpu-engine.ts"
import { KERNELS } from "../../src/engines/cpu/kernels.ts"
import type { Candidate, Work } from "../../src/engines/engine.ts"
import { nextSequence } from "../../src/engines/sequence.ts"
import { targetOf } from "../../src/pow/target.ts"
import { collectLog } from "../support/collect-log.ts"
import { refusalOf } from "../support/kernels.ts"

/** Hash counts agree with luck; one test in a million fails by chance. */
const DEVIATIONS = 5

/** More than the CPUs of most machines that run this test, so that workers are often interrupted between two rows. */
const WORKERS = 6

/** Difficulties around the number of nonces in a row, and the number of seals at each. */
const SEARCHES: readonly [difficulty: number, seals: number][] = [
  [1, 1000],
  [10, 20_000],
  [100, 20_000],
  [256, 20_000],
  [1000, 10_000],
  [10_000, 1000],
]

for (const kernel of Object.keys(KERNELS)) {
  const refusal = refusalOf(kernel)
  describe.skipIf(refusal !== undefined)(refusal ? `${kernel} (skipped: ${refusal})` : kernel, () => {
    let engine: CpuEngine
    let onCandidate: (candidate: Candidate) => void = () => {}

    beforeAll(async () => {
      engine = createCpuEngine({
        kernel,
        workers: WORKERS,
        random: bytes => crypto.getRandomValues(new Uint8Array(bytes)),
        clock: systemClock,
        log: collectLog(),
      })
      const events = { exhausted() {}, switched() {}, restarted() {}, failed() {} }
      await engine.start({ ...events, candidate: found => onCandidate(found) })
    })
    afterAll(() => engine.close())

    /** Assigns a work and resolves with its first candidate. */
    const find = (assigned: Work) =>
      new Promise<Candidate>(resolve => {
        onCandidate = found => found.sequence === assigned.sequence && resolve(found)
        engine.assign(assigned)
      })

    const expected = () => engine.units.reduce((sum, { expectedSeals }) => sum + expectedSeals, 0)

    for (const [difficulty, seals] of SEARCHES) {
      test(`${seals} searches that end with their first hit, difficulty ${difficulty}`, async () => {
        let counted = 0n
        for (let i = 0; i < seals; i++) {
          const assigned = work(BigInt(difficulty))
          await find(assigned)
          const hashes = engine.hashesOf(assigned.sequence)
          if (difficulty === 1) expect(hashes).toBe(1n)
          counted += hashes
        }
        // The counts are geometric: their mean is the difficulty, and their variance the difficulty × (difficulty − 1).
        const effort = Number(counted) / difficulty / seals
        const deviations = (effort - 1) / Math.sqrt((1 - 1 / difficulty) / seals || 1)
        console.log(
          `${kernel}, difficulty ${difficulty}: ${effort.toFixed(4)} of the hashes expected, ${deviations.toFixed(2)} deviations`,
        )
        expect(Math.abs(deviations)).toBeLessThan(DEVIATIONS)
      })
    }

    test(`searches that are replaced at any moment`, async () => {
      const before = expected()
      let seals = 0
      onCandidate = () => seals++
      for (let i = 0; i < 1500; i++) {
        engine.assign(work(1000n))
        await Bun.sleep(Math.random() * 3)
      }
      const due = expected() - before
      // A hit just before the replacement is counted but reported too late, so luck can only be worse than expected.
      const deviations = (seals - due) / Math.sqrt(due)
      console.log(`${kernel}: ${seals} seals, ${due.toFixed(1)} expected, ${deviations.toFixed(2)} deviations`)
      expect(deviations).toBeLessThan(DEVIATIONS)
    })

    test(`a search that continues after hits, which arrive faster than they are taken`, async () => {
      for (const difficulty of [1n, 7n, 1000n]) {
        const assigned = work(difficulty, false)
        const nonces = new Set<string>()
        await new Promise<void>(resolve => {
          onCandidate = ({ nonce }) => {
            nonces.add(nonce.toHex())
            if (nonces.size === 1000) resolve()
          }
          engine.assign(assigned)
        })
        onCandidate = ({ nonce }) => nonces.add(nonce.toHex())
        const counted = engine.hashesOf(assigned.sequence)
        engine.assign(null)
        // Each worker may count another ring of hits between a report and its arrival.
        const slack = WORKERS * 33 * Number(difficulty)
        const deviation = Number(difficulty) * Math.sqrt(nonces.size)
        const excess = Number(counted) - Number(difficulty) * nonces.size
        console.log(`${kernel}: difficulty ${difficulty}, ${nonces.size} seals, ${counted} hashes`)
        expect(Math.abs(excess)).toBeLessThan(DEVIATIONS * deviation + slack)
      }
    })
  })
}

function work(difficulty: bigint, stopAtCandidate = true): Work {
  return {
    sequence: nextSequence(),
    header: crypto.getRandomValues(new Uint8Array(32)),
    target: targetOf(difficulty),
    difficulty,
    prefix: new Uint8Array(0),
    stopAtCandidate,
  }
}
