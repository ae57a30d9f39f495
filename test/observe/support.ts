import type { Unit } from "../../src/engines/engine.ts"
import type { UnitDetails } from "../../src/observe/snapshot.ts"
import { Stats, type StatsOptions } from "../../src/observe/stats.ts"
import type { Job, Seal } from "../../src/sources/source.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock } from "../support/fake-clock.ts"

export const NODE = "quic://127.0.0.1:9833"
export const POOL = "stratum+tls://pool.example:3333"

const PROCESS = { cpuSeconds: 12.5, residentBytes: 1e8, startedAt: 1.7e9, openFiles: 20, maxOpenFiles: 1024 }

export type FakeUnit = { -readonly [Key in keyof Unit]: Unit[Key] }

/** A unit that counts `rate` hashes per second while `Bench.run` advances the clock. */
export function fakeUnit(id: string, kind: Unit["kind"] = "cpu"): FakeUnit {
  return { id, kind, hashes: 0n, expectedSeals: 0, sequence: 1 }
}

export function fakeJob(id: string, job: Partial<Job> = {}): Job {
  return {
    id,
    source: NODE,
    header: new Uint8Array(32).fill(0xab),
    difficulty: 1000n,
    prefix: new Uint8Array(),
    afterSeal: "wait",
    receivedAt: 0,
    ...job,
  }
}

export function fakeSeal(job: Job, unit = "avx2/0"): Seal {
  return { job, nonce: new Uint8Array(64), hash: new Uint8Array(64), hashes: 1000n, seconds: 1, unit }
}

/** Stats over fake units and a fake clock. */
export class Bench {
  readonly clock = new FakeClock()
  readonly units: FakeUnit[]
  readonly details = new Map<string, UnitDetails>()
  readonly stats: Stats
  readonly log = collectLog()

  constructor(
    units: FakeUnit[] = [fakeUnit("avx2/0"), fakeUnit("avx2/1")],
    version = "1.2.3",
    options: Partial<StatsOptions> = {},
  ) {
    this.units = units
    const details = (unit: string) => this.details.get(unit)
    const { clock, log } = this
    this.stats = new Stats({
      clock,
      log,
      version,
      name: "rig7",
      units: () => this.units,
      details,
      readProcess: () => PROCESS,
      ...options,
    })
  }

  /** Advances the clock by `seconds`; every unit counts `rate` hashes per second at difficulty 1000. */
  async run(seconds: number, rate = 100): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const unit of this.units) {
        unit.hashes += BigInt(rate)
        unit.expectedSeals += rate / 1000
      }
      await this.clock.advance(1000)
    }
  }
}
