import type { Candidate, Engine, EngineEvents, Unit, Work } from "../../src/engines/engine.ts"
import { EngineSet } from "../../src/miner/engine-set.ts"
import type { MinerEvents } from "../../src/miner/events.ts"
import { Miner } from "../../src/miner/miner.ts"
import type { Job, JobSource, Seal, SourceEvents, Verdict } from "../../src/sources/source.ts"
import { collectLog } from "../support/collect-log.ts"
import { FakeClock, settle } from "../support/fake-clock.ts"

export const NODE = "quic://node:9833"

/** Does not hash: tests set its reports and its hash count. */
export class FakeEngine implements Engine {
  readonly assigned: (Work | null)[] = []
  readonly resumed: number[] = []
  readonly held: number[] = []
  counted = 0n
  units: Unit[]
  closed = false
  events: EngineEvents | undefined

  constructor(
    readonly name: string,
    readonly starting: Promise<void> = Promise.resolve(),
  ) {
    this.units = [{ id: `${name}/0`, kind: "cpu", hashes: 0n, expectedSeals: 0, sequence: 0 }]
  }

  async start(events: EngineEvents): Promise<void> {
    this.events = events
    await this.starting
  }

  assign(work: Work | null): void {
    this.assigned.push(work)
    this.counted = 0n
  }

  hold(sequence: number): void {
    this.held.push(sequence)
  }

  resume(sequence: number): void {
    this.resumed.push(sequence)
  }

  hashesOf(sequence: number): bigint {
    return this.work?.sequence === sequence ? this.counted : 0n
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get work(): Work | null {
    return this.assigned.at(-1) ?? null
  }

  /** Reports a candidate of its work or of another work. */
  find(nonce: Uint8Array, sequence = this.work!.sequence): void {
    this.events!.candidate({ sequence, nonce, unit: `${this.name}/0` } satisfies Candidate)
  }
}

export class FakeSource implements JobSource {
  readonly name = NODE
  readonly submitted: Seal[] = []
  readonly exhaustions: { job: Job; hashes: bigint; seconds: number }[] = []
  verdict: Verdict | Promise<Verdict> = { result: "sent" }
  closed = false
  events: SourceEvents | undefined

  start(events: SourceEvents): void {
    this.events = events
  }

  async submit(seal: Seal): Promise<Verdict> {
    this.submitted.push(seal)
    return this.verdict
  }

  exhausted(job: Job, hashes: bigint, seconds: number): void {
    this.exhaustions.push({ job, hashes, seconds })
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

export interface Bench {
  readonly miner: Miner
  readonly engines: EngineSet
  readonly source: FakeSource
  readonly clock: FakeClock
  /** Log lines as `level message`. */
  lines(): string[]
  /** Reported events as `name argument argument`. */
  readonly events: string[]
  /** Delivers a job; by default every nonce is a seal of it. */
  job(id: string, more?: Partial<Job>): Job
  stop(): Promise<void>
  readonly ended: Promise<void>
}

/** A running miner with a connected source. */
export async function setUp(
  engines: readonly Engine[],
  replaceEngine?: (failed: Engine) => Promise<Engine | undefined>,
  maxJobAgeMs?: number,
  lateEngines?: () => Promise<readonly Engine[]>,
): Promise<Bench> {
  const source = new FakeSource()
  const clock = new FakeClock(1000)
  const log = collectLog()
  const events: string[] = []
  const set = new EngineSet(engines)
  const miner = new Miner({
    source,
    engines: set,
    events: recordingEvents(events),
    clock,
    log,
    ...(replaceEngine && { replaceEngine }),
    ...(lateEngines && { lateEngines }),
    maxJobAgeMs,
  })
  const abort = new AbortController()
  const ended = miner.run(abort.signal)
  ended.catch(() => {})
  await settle()
  source.events!.connected(NODE)
  return {
    miner,
    engines: set,
    source,
    clock,
    events,
    ended,
    lines: () => log.texts,
    job(id, more = {}) {
      const job: Job = {
        id,
        source: NODE,
        header: new Uint8Array(32).fill(1),
        difficulty: 1n,
        prefix: new Uint8Array(0),
        afterSeal: "wait",
        receivedAt: clock.now(),
        ...more,
      }
      source.events!.job(job)
      return job
    },
    async stop() {
      abort.abort()
      await ended
    },
  }
}

/** A distinct nonce for each number. */
export const nonce = (n: number, first = 0): Uint8Array => {
  const bytes = new Uint8Array(64)
  bytes[0] = first
  new DataView(bytes.buffer).setUint32(60, n)
  return bytes
}

export function recordingEvents(events: string[]): MinerEvents {
  return {
    connected: source => events.push(`connected ${source}`),
    disconnected: (reason, _message, _retryIn, source) => events.push(`disconnected ${reason} ${source}`),
    job: job => events.push(`job ${job.id}`),
    jobEnded: (job, status) => events.push(`jobEnded ${job.id} ${status}`),
    seal: (seal, { result }, seconds) => events.push(`seal ${seal.job.id} ${result} ${seconds}`),
    switched: (unit, _sequence, seconds) => events.push(`switched ${unit} ${seconds}`),
    restarted: unit => events.push(`restarted ${unit}`),
    mismatch: unit => events.push(`mismatch ${unit}`),
    paused: reasons => events.push(`paused ${reasons.join("+") || "no longer"}`),
  }
}
