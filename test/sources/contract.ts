/** What every source owes the mining loop, whatever its wire. */
import { afterEach, describe, expect, test } from "bun:test"
import type { JobSource } from "../../src/sources/source.ts"
import { headerOf, Recorder, sealOf } from "./recorder.ts"

export interface OfferedJob {
  readonly id: string
  /** 32 bytes. */
  readonly header: Uint8Array
  readonly difficulty: bigint
}

/** The other end of a source's wire. */
export interface Peer {
  readonly source: JobSource
  /** What its jobs and events name as their source. */
  readonly name: string
  /** Does what the wire needs for the source to say that it has connected. */
  greet?(): Promise<void>
  /** Hands over a job that replaces the one before it; before the source has connected: its first one. */
  offer(job: OfferedJob): void | Promise<void>
  /** Nonces in hex that arrived over the wire so far, with their jobs. */
  seals(): readonly { readonly jobId: string; readonly nonce: string }[]
  /** Resolves once `count` seals have arrived. */
  arrived(count: number): Promise<void>
  /** Answers every later seal with this. */
  rejectWith(reason: string): void
  /** Leaves seals unanswered from now on. */
  stopAnswering(): void
  /** Ends the connection without a word. */
  drop(): void | Promise<void>
  /** Lets this much of the source's time pass. */
  elapse(ms: number): Promise<void>
  /** Says something that is not the protocol. */
  babble(): void | Promise<void>
  close(): void | Promise<void>
}

/** Parts of the contract that a wire may have no way to show. */
export type Optional = "reject" | "drop" | "unanswered" | "reconnect"

const first: OfferedJob = { id: "first", header: headerOf(1), difficulty: 1n }
const second: OfferedJob = { id: "second", header: headerOf(2), difficulty: 1n }

/**
 * @param open a source that is not started yet and its peer
 * @param absent why a part does not apply
 */
export function describeContract(
  name: string,
  open: () => Promise<Peer>,
  absent: Partial<Record<Optional, string>> = {},
): void {
  let peer: Peer | undefined
  const started = async (job?: OfferedJob) => {
    peer = await open()
    if (job) await peer.offer(job)
    const events = new Recorder()
    peer.source.start(events)
    await peer.greet?.()
    await events.next("connected")
    return { peer, source: peer.source, events }
  }
  const optional = (part: Optional, title: string, body: () => Promise<void>) =>
    absent[part] === undefined ? test(title, body) : test.skip(`${title} (${absent[part]})`, body)

  afterEach(async () => {
    await peer?.source.close()
    await peer?.close()
    peer = undefined
  })

  describe(`${name} keeps the contract of a source`, () => {
    test("connect: reports one connection, under the source's name", async () => {
      const { peer, events } = await started()
      expect(events.events).toEqual([{ kind: "connected", source: peer.name }])
      expect(peer.name).toMatch(/^[a-z+]+:\/\/[^@/]+$/)
    })

    test("job: delivers the fields of the wire", async () => {
      const { peer, events } = await started(first)
      const job = await events.nextJob()
      expect(job).toMatchObject({ id: first.id, source: peer.name, difficulty: 1n })
      expect(job.header.toHex()).toBe(first.header.toHex())
      expect(job.prefix.length).toBeLessThanOrEqual(16)
    })

    test("job: arrives also after a long wait", async () => {
      const { peer, events } = await started()
      await peer.elapse(1000)
      await peer.offer(first)
      expect((await events.nextJob()).id).toBe(first.id)
    })

    test("replace: a new job replaces the old one", async () => {
      const { peer, events } = await started(first)
      await events.nextJob()
      await peer.offer(second)
      const job = await events.nextJob()
      expect(job.id).toBe(second.id)
      expect(job.header.toHex()).toBe(second.header.toHex())
    })

    test("replace: a seal of the old job is stale and never sent", async () => {
      const { peer, source, events } = await started(first)
      const old = await events.nextJob()
      await peer.offer(second)
      const current = await events.nextJob()
      expect(await source.submit(sealOf(old))).toEqual({ result: "stale" })
      const seal = sealOf(current)
      await source.submit(seal)
      await peer.arrived(1)
      expect(peer.seals()).toEqual([{ jobId: second.id, nonce: seal.nonce.toHex() }])
    })

    test("seal: arrives complete, once", async () => {
      const { peer, source, events } = await started(first)
      const seal = sealOf(await events.nextJob(), 0xdeadbeef)
      expect(["accepted", "sent"]).toContain((await source.submit(seal)).result)
      await peer.arrived(1)
      expect(peer.seals()).toEqual([{ jobId: first.id, nonce: seal.nonce.toHex() }])
    })

    optional("reject", "reject: the verdict contains the reason", async () => {
      const { peer, source, events } = await started(first)
      peer.rejectWith("low difficulty share")
      const verdict = await source.submit(sealOf(await events.nextJob()))
      expect(verdict).toEqual({ result: "rejected", reason: "low difficulty share" })
    })

    optional("drop", "drop: is reported with the time until the next attempt", async () => {
      const { peer, events } = await started(first)
      await events.nextJob()
      await peer.drop()
      const { reason, retryIn } = await events.next("disconnected")
      expect(["closed", "timeout"]).toContain(reason)
      expect(retryIn).toBeGreaterThan(0)
      expect(retryIn).toBeLessThanOrEqual(30_000)
    })

    optional("unanswered", "drop: a seal in flight is sent at most once more, then lost", async () => {
      const { peer, source, events } = await started(first)
      peer.stopAnswering()
      const verdict = source.submit(sealOf(await events.nextJob()))
      await peer.arrived(1)
      for (let loss = 0; loss < 2; loss++) {
        await peer.drop()
        await peer.elapse((await events.next("disconnected")).retryIn)
        await events.nextJob()
      }
      expect(["lost", "sent"]).toContain((await verdict).result)
      expect(peer.seals().length).toBeLessThanOrEqual(2)
    })

    optional("reconnect", "reconnect: jobs arrive again", async () => {
      const { peer, events } = await started(first)
      await events.nextJob()
      for (let round = 0; round < 3; round++) {
        await peer.drop()
        await peer.elapse((await events.next("disconnected")).retryIn)
        await events.next("connected")
        expect((await events.nextJob()).id).toBe(first.id)
      }
    })

    optional("reconnect", "reconnect: a seal found in between is sent once if its job is still current", async () => {
      const { peer, source, events } = await started(first)
      const seal = sealOf(await events.nextJob())
      await peer.drop()
      const { retryIn } = await events.next("disconnected")
      const verdict = source.submit(seal)
      await peer.elapse(retryIn)
      expect(["accepted", "sent"]).toContain((await verdict).result)
      await peer.arrived(1)
      expect(peer.seals()).toEqual([{ jobId: first.id, nonce: seal.nonce.toHex() }])
    })

    optional("reconnect", "reconnect: a seal found in between is stale if its job is not current", async () => {
      const { peer, source, events } = await started(first)
      const seal = sealOf(await events.nextJob())
      await peer.drop()
      const { retryIn } = await events.next("disconnected")
      const verdict = source.submit(seal)
      await peer.offer(second)
      await peer.elapse(retryIn)
      expect(await verdict).toEqual({ result: "stale" })
      expect(peer.seals()).toEqual([])
    })

    test("bad input: the next valid job is delivered", async () => {
      const { peer, events } = await started(first)
      await events.nextJob()
      await peer.babble()
      await peer.elapse(31_000)
      await peer.offer(second)
      let { id } = await events.nextJob()
      while (id === first.id) id = (await events.nextJob()).id
      expect(id).toBe(second.id)
      expect(events.count("failed")).toBe(0)
    })

    test("shutdown: settles, and no event follows", async () => {
      const { peer, source, events } = await started(first)
      await events.nextJob()
      await source.close()
      const before = events.events.length
      await peer.elapse(60_000)
      expect(events.events).toHaveLength(before)
    })

    test("shutdown: every submission receives its verdict", async () => {
      const { peer, source, events } = await started(first)
      const job = await events.nextJob()
      peer.stopAnswering()
      const inFlight = source.submit(sealOf(job, 1))
      await source.close()
      expect(["lost", "sent", "accepted"]).toContain((await inFlight).result)
      expect(["stale", "lost"]).toContain((await source.submit(sealOf(job, 2))).result)
    })

    optional("drop", "shutdown: settles during back-off, with the held seal's verdict", async () => {
      const { peer, source, events } = await started(first)
      const job = await events.nextJob()
      await peer.drop()
      await events.next("disconnected")
      const held = source.submit(sealOf(job))
      await source.close()
      expect(["stale", "lost"]).toContain((await held).result)
      const before = events.events.length
      await peer.elapse(60_000)
      expect(events.events).toHaveLength(before)
    })
  })
}
