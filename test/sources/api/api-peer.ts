import { type ApiOptions, createApiSource } from "../../../src/sources/api/api-source.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import type { OfferedJob, Peer } from "../contract.ts"

export const WHOLE_RANGE = { nonce_start: "0".repeat(128), nonce_end: "f".repeat(128) }

/** A client of the API, over loopback. */
export class ApiPeer implements Peer {
  readonly clock = new FakeClock()
  readonly log = collectLog()
  readonly source: JobSource
  #jobs: string[] = []
  #seals: { jobId: string; nonce: string }[] = []
  #started: Promise<void>

  constructor(options: Partial<ApiOptions> = {}) {
    const source = createApiSource({ host: "127.0.0.1", port: 0, clock: this.clock, log: this.log, ...options })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#started = promise
    this.source = source
    const start = source.start.bind(source)
    source.start = events => {
      start(events)
      resolve()
    }
  }

  get name(): string {
    return this.source.name
  }

  /** Posts a job once the server listens, and cancels the previous ones. */
  offer({ id, header, difficulty }: OfferedJob): void {
    void this.#started.then(async () => {
      const before = this.#jobs
      this.#jobs = [id]
      await this.mine({ job_id: id, mining_hash: header.toHex(), difficulty: String(difficulty), ...WHOLE_RANGE })
      for (const old of before) await this.post(`/cancel/${old}`)
    })
  }

  mine(body: object): Promise<Response> {
    return this.post("/mine", JSON.stringify(body))
  }

  post(path: string, body = "", headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.source.name + path, { method: "POST", body, headers })
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.source.name + path, { headers })
  }

  seals() {
    return this.#seals
  }

  async arrived(count: number): Promise<void> {
    this.#seals = []
    for (const id of this.#jobs) {
      const result = (await (await this.get(`/result/${id}`)).json()) as { status: string; nonce: string }
      if (result.status === "completed") this.#seals.push({ jobId: id, nonce: result.nonce })
    }
    if (this.#seals.length !== count) throw new Error(`${this.#seals.length} seals, not ${count}`)
  }

  rejectWith(): void {
    throw new Error("the API rejects nothing")
  }

  stopAnswering(): void {}

  drop(): void {
    throw new Error("the API has no connection")
  }

  elapse(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  async babble(): Promise<void> {
    for (const body of ["", "{", "[]", "null", "{}", '{"job_id":7}', "\0", "x".repeat(5000)]) {
      await this.post("/mine", body)
    }
    await this.get("/%zz")
    await this.get("/result/%ff")
    await this.post("/cancel/nothing")
  }

  close(): void {}
}
