/**
 * One worker's block of shared memory. Little-endian, offsets in bytes; 128 + 32 × 72, rounded up to a multiple of 64.
 *
 *       0  i32  1: the worker is to end, 2: to take another order  engine; the worker ends 2
 *       4  i32  heartbeat, increases while the worker lives        worker
 *       8  i32  head of the ring                                   worker
 *      12  i32  tail of the ring; a worker sleeps on it when full  engine
 *      16  i32  version at which the range had no chunk left       worker
 *      24  u64  nonces tested, all works                           worker
 *      32  u64  sequence that the next fields belong to            worker
 *      40  u64  nonces counted for it                              worker
 *      48  f64  milliseconds from its assignment to its take-up    worker
 *      56  f64  expected seals, all works                          worker
 *      64  i64  place in the range, −1: none: 9-bit tag of the     worker; others by exchange
 *               sequence, 41-bit chunk, 13-bit next offset in it;
 *               offset 8191: the worker is leasing the chunk
 *      72  u64  range: the sequence that the chunk belongs to      worker; the engine if drained
 *      80  u64  planes begun; never reset, so that a later         worker
 *               worker of the slot repeats none
 *      88  f64  milliseconds in the kernel, all works              worker
 *     128  ring of 32 candidates: u64 sequence, 64 B nonce         worker
 *
 * Each counter has one writer and may be read at any moment; it is exact whenever the worker is between two rows.
 */
import { CHUNK } from "./range.ts"
import { sharedNow } from "./shared-now.ts"
import type { EngineSlot, Progress, SharedWork, WorkerSlot } from "./views.ts"

export const SLOT_BYTES = 2432
/** Bits of a chunk's number. */
export const CHUNK_BITS = 41
const LEAVE = 0
const HEARTBEAT = 4
const HEAD = 8
const TAIL = 12
const DRAINED = 16
const HASHES = 24
const SLOT_SEQUENCE = 32
const SEQUENCE_HASHES = 40
const SWITCH_MS = 48
const EXPECTED_SEALS = 56
const PROGRESS = 64
const PROGRESS_SEQUENCE = 72
const PLANES = 80
const BUSY_MS = 88
const RING = 128

const END = 1
const RECALL = 2

const RING_ENTRIES = 32
const ENTRY_BYTES = 72

const NO_CHUNK = -1n
const OFFSET_BITS = 13
/** In place of an offset: the worker intends to lease the chunk. */
const INTENDED = 2 ** OFFSET_BITS - 1
if (CHUNK >= INTENDED) throw new RangeError("an offset takes 13 bits")

const TAG_BITS = 9
const tagOf = (sequence: number): bigint => BigInt(sequence % 2 ** TAG_BITS)

/** As stored in a slot. */
const wordOf = ({ sequence, chunk, offset }: Progress): bigint =>
  (((tagOf(sequence) << BigInt(CHUNK_BITS)) | chunk) << BigInt(OFFSET_BITS)) | BigInt(offset)

export class Slot implements EngineSlot, WorkerSlot {
  readonly index: number
  readonly #wake: () => void
  readonly #i32: Int32Array
  readonly #i64: BigInt64Array
  readonly #f64: Float64Array
  readonly #ring: Uint8Array
  readonly #ringSequences: DataView

  /** @param wake wakes workers that sleep on the control block */
  constructor(buffer: SharedArrayBuffer, index: number, offset: number, wake: () => void) {
    this.index = index
    this.#wake = wake
    this.#i32 = new Int32Array(buffer, offset, RING / 4)
    this.#i64 = new BigInt64Array(buffer, offset, RING / 8)
    this.#f64 = new Float64Array(buffer, offset, RING / 8)
    this.#ring = new Uint8Array(buffer, offset + RING, RING_ENTRIES * ENTRY_BYTES)
    this.#ringSequences = new DataView(buffer, offset + RING, RING_ENTRIES * ENTRY_BYTES)
  }

  reset(): void {
    for (const word of [LEAVE, HEARTBEAT, HEAD, TAIL, DRAINED]) Atomics.store(this.#i32, word / 4, 0)
    for (const word of [HASHES, SLOT_SEQUENCE, SEQUENCE_HASHES, PROGRESS_SEQUENCE])
      Atomics.store(this.#i64, word / 8, 0n)
    this.#f64[SWITCH_MS / 8] = 0
    this.#f64[EXPECTED_SEALS / 8] = 0
    this.#f64[BUSY_MS / 8] = 0
    // An odd version is never current.
    Atomics.store(this.#i32, DRAINED / 4, 1)
    Atomics.store(this.#i64, PROGRESS / 8, NO_CHUNK)
  }

  leave(): void {
    Atomics.store(this.#i32, LEAVE / 4, END)
    this.#stir()
  }

  recall(): void {
    Atomics.compareExchange(this.#i32, LEAVE / 4, 0, RECALL)
    this.#stir()
  }

  follow(): void {
    Atomics.compareExchange(this.#i32, LEAVE / 4, RECALL, 0)
  }

  get isRecalled(): boolean {
    return Atomics.load(this.#i32, LEAVE / 4) === RECALL
  }

  /** Wakes the worker wherever it sleeps. */
  #stir(): void {
    Atomics.notify(this.#i32, TAIL / 4)
    this.#wake()
  }

  get leaving(): boolean {
    return Atomics.load(this.#i32, LEAVE / 4) !== 0
  }

  get heartbeat(): number {
    return Atomics.load(this.#i32, HEARTBEAT / 4)
  }

  beat(): void {
    Atomics.add(this.#i32, HEARTBEAT / 4, 1)
  }

  get hashes(): bigint {
    return Atomics.load(this.#i64, HASHES / 8)
  }

  get busyMs(): number {
    return this.#f64[BUSY_MS / 8]!
  }

  addBusy(ms: number): void {
    this.#f64[BUSY_MS / 8]! += ms
  }

  get expectedSeals(): number {
    return this.#f64[EXPECTED_SEALS / 8]!
  }

  get sequence(): number {
    return Number(Atomics.load(this.#i64, SLOT_SEQUENCE / 8))
  }

  get switchMs(): number {
    return this.#f64[SWITCH_MS / 8]!
  }

  hashesOf(sequence: number): bigint {
    if (this.sequence !== sequence) return 0n
    const hashes = Atomics.load(this.#i64, SEQUENCE_HASHES / 8)
    return this.sequence === sequence ? hashes : 0n
  }

  take(work: SharedWork): void {
    if (this.sequence === work.sequence) return
    Atomics.store(this.#i64, SLOT_SEQUENCE / 8, 0n)
    Atomics.store(this.#i64, SEQUENCE_HASHES / 8, 0n)
    this.#f64[SWITCH_MS / 8] = sharedNow() - work.assignedAt
    Atomics.store(this.#i64, SLOT_SEQUENCE / 8, BigInt(work.sequence))
  }

  addHashes(count: number): void {
    Atomics.add(this.#i64, HASHES / 8, BigInt(count))
  }

  count(work: SharedWork, count: number): void {
    Atomics.add(this.#i64, SEQUENCE_HASHES / 8, BigInt(count))
    this.#f64[EXPECTED_SEALS / 8]! += count * work.perHash
  }

  nextPlane(): bigint {
    return Atomics.add(this.#i64, PLANES / 8, 1n)
  }

  markDrained(version: number): void {
    Atomics.store(this.#i32, DRAINED / 4, version)
  }

  get drainedAt(): number {
    return Atomics.load(this.#i32, DRAINED / 4)
  }

  progress(sequence: number): Progress | undefined {
    const place = this.#place(sequence)
    return place?.offset === INTENDED ? undefined : place
  }

  /** The chunk that the worker intends to lease, or has leased without having begun it. */
  intention(sequence: number): bigint | undefined {
    const place = this.#place(sequence)
    return place?.offset === INTENDED ? place.chunk : undefined
  }

  #place(sequence: number): Progress | undefined {
    const word = Atomics.load(this.#i64, PROGRESS / 8)
    if (word === NO_CHUNK || Number(Atomics.load(this.#i64, PROGRESS_SEQUENCE / 8)) !== sequence) return undefined
    if (word >> BigInt(CHUNK_BITS + OFFSET_BITS) !== tagOf(sequence)) return undefined
    const offset = Number(BigInt.asUintN(OFFSET_BITS, word))
    return { sequence, chunk: BigInt.asUintN(CHUNK_BITS, word >> BigInt(OFFSET_BITS)), offset }
  }

  /** Shows which chunk the worker is about to lease, so that others can tell what it leased if it dies. */
  intend(sequence: number, chunk: bigint): void {
    Atomics.store(this.#i64, PROGRESS / 8, NO_CHUNK)
    Atomics.store(this.#i64, PROGRESS_SEQUENCE / 8, BigInt(sequence))
    Atomics.store(this.#i64, PROGRESS / 8, wordOf({ sequence, chunk, offset: INTENDED }))
  }

  /**
   * Turns the intention for a chunk that this slot has leased into a place in it. Done by the worker, or in its stead by
   * whoever needs to know first.
   * @returns true if the slot is at that place
   */
  begin(progress: Progress): boolean {
    const place = wordOf(progress)
    const intention = wordOf({ ...progress, offset: INTENDED })
    const found = Atomics.compareExchange(this.#i64, PROGRESS / 8, intention, place)
    return found === intention || found === place
  }

  give(progress: Progress): boolean {
    const before = Atomics.load(this.#i64, PROGRESS / 8)
    Atomics.store(this.#i64, PROGRESS_SEQUENCE / 8, BigInt(progress.sequence))
    return Atomics.compareExchange(this.#i64, PROGRESS / 8, before, wordOf(progress)) === before
  }

  holds(progress: Progress): boolean {
    return Atomics.load(this.#i64, PROGRESS / 8) === wordOf(progress)
  }

  advance(from: Progress, offset: number): boolean {
    return this.#exchange(from, wordOf({ ...from, offset }))
  }

  /** Takes the chunk from its owner. @returns false if it has moved on */
  takeChunk(from: Progress): boolean {
    return this.#exchange(from, NO_CHUNK)
  }

  #exchange(from: Progress, to: bigint): boolean {
    const word = wordOf(from)
    return Atomics.compareExchange(this.#i64, PROGRESS / 8, word, to) === word
  }

  get hasRoom(): boolean {
    return ((Atomics.load(this.#i32, HEAD / 4) - Atomics.load(this.#i32, TAIL / 4)) | 0) < RING_ENTRIES
  }

  awaitRoom(): void {
    const tail = Atomics.load(this.#i32, TAIL / 4)
    if (!this.hasRoom) Atomics.wait(this.#i32, TAIL / 4, tail, 1)
  }

  write(sequence: number, nonce: Uint8Array): void {
    const entry = ringEntry(Atomics.load(this.#i32, HEAD / 4))
    this.#ringSequences.setBigUint64(entry, BigInt(sequence), true)
    this.#ring.set(nonce, entry + 8)
  }

  publish(): boolean {
    const head = Atomics.add(this.#i32, HEAD / 4, 1)
    return Atomics.load(this.#i32, TAIL / 4) === head
  }

  peek(): { readonly sequence: number; readonly nonce: Uint8Array } | undefined {
    const tail = Atomics.load(this.#i32, TAIL / 4)
    if (Atomics.load(this.#i32, HEAD / 4) === tail) return undefined
    const entry = ringEntry(tail)
    return {
      sequence: Number(this.#ringSequences.getBigUint64(entry, true)),
      nonce: this.#ring.slice(entry + 8, entry + ENTRY_BYTES),
    }
  }

  drop(): void {
    Atomics.add(this.#i32, TAIL / 4, 1)
    Atomics.notify(this.#i32, TAIL / 4)
  }
}

const ringEntry = (position: number): number => ((position >>> 0) % RING_ENTRIES) * ENTRY_BYTES
