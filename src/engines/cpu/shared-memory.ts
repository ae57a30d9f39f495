/**
 * The memory that an engine's thread shares with its workers; nothing else in the miner touches shared memory. One
 * `SharedArrayBuffer`: a control block, then a block for each worker ("slot"). Little-endian, offsets in bytes.
 *
 *     control block (512)                                        written by
 *       0  i32  version: sequence lock of the work below;          engine
 *               odd while it is being written, workers sleep on it
 *      64  i32  winner: = version while the work is open,          engine opens, a worker claims
 *               = version + 1 once a worker has claimed its end
 *     128  i64  lease: 16-bit tag of the sequence, 47-bit number   engine resets, workers take
 *               of the range's next chunk
 *     192  u64  sequence of the work, 0: none                    ┐
 *     200  f64  when it was assigned, ms of the system's clock   │
 *     208  f64  1 / difficulty                                   │
 *     216  u64  target's top 64 bits                             │ engine, under the sequence lock
 *     224  u32  flags (STOP, RANGE);  228 u32 length of prefix   │
 *     232  16 B prefix;  256 32 B header                         │
 *     288  64 B range's first nonce;  352 64 B its last          ┘
 *
 *     slot (128 + 32 × 72, rounded up to 64)
 *       0  i32  leave: the worker shall end                        engine
 *       4  i32  heartbeat, grows while the worker lives            worker
 *       8  i32  head of the candidates' ring                       worker
 *      12  i32  tail of the ring; a worker sleeps on it when full  engine
 *      16  i32  version at which the range had no chunk left       worker
 *      24  u64  nonces tested, all works                           worker
 *      32  u64  sequence that the next fields belong to            worker
 *      40  u64  nonces counted for it                              worker
 *      48  f64  milliseconds from its assignment to its take-up    worker
 *      56  f64  expected seals, all works                          worker
 *      64  i64  range: chunk × 8192 + next offset in it, −1: none  owner; an heir takes it by exchange
 *      72  u64  range: the sequence that the chunk belongs to      worker
 *      80  u64  planes begun; never goes back, also when the slot  worker
 *               goes to another worker
 *     128  ring of 32 candidates: u64 sequence, 64 B nonce         worker
 *
 * Counters have one writer each and are read at any moment; they are exact whenever their worker is between two rows.
 */
import { CHUNK } from "./range.ts"

const CONTROL_BYTES = 512
const VERSION = 0
const WINNER = 64
const LEASE = 128
const SEQUENCE = 192
const ASSIGNED_AT = 200
const PER_HASH = 208
const TOP = 216
const FLAGS = 224
const PREFIX_LENGTH = 228
const PREFIX = 232
const HEADER = 256
const FIRST = 288
const LAST = 352

const FLAG_STOP = 1
const FLAG_RANGE = 2

const SLOT_BYTES = 2432
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
const RING = 128

const RING_ENTRIES = 32
const ENTRY_BYTES = 72
const NONCE_BYTES = 64

const LEASE_BITS = 47n
const NO_CHUNK = -1n
const OFFSETS = BigInt(2 * CHUNK)

/** As it stands in a slot. */
const wordOf = ({ chunk, offset }: Progress): bigint => chunk * OFFSETS + BigInt(offset)

/** How long a worker sleeps at most before it shows that it lives, in milliseconds. */
const NAP = 250

/** A work as workers see it. */
export interface SharedWork {
  readonly sequence: number
  /** When the work was assigned, of `sharedNow`. */
  readonly assignedAt: number
  /** 1 / difficulty. */
  readonly perHash: number
  /** The target's top 64 bits. */
  readonly top: bigint
  /** 32 bytes. */
  readonly header: Uint8Array
  /** 0 … 16 bytes. */
  readonly prefix: Uint8Array
  /** 64 bytes each, big-endian, inclusive. */
  readonly range: { readonly first: Uint8Array; readonly last: Uint8Array } | undefined
  readonly stopAtCandidate: boolean
}

/** A chunk of a range, by number, and the first offset in it that nobody has tested. */
export interface Progress {
  readonly chunk: bigint
  readonly offset: number
}

/** Milliseconds on a clock that all threads of the process share. */
export const sharedNow = (): number => performance.timeOrigin + performance.now()

export class SharedMemory {
  readonly buffer: SharedArrayBuffer
  readonly slots: readonly Slot[]
  readonly #i32: Int32Array
  readonly #i64: BigInt64Array
  readonly #u32: Uint32Array
  readonly #u64: BigUint64Array
  readonly #f64: Float64Array
  readonly #bytes: Uint8Array

  /** Views a memory that another thread has made. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#i32 = new Int32Array(buffer)
    this.#i64 = new BigInt64Array(buffer)
    this.#u32 = new Uint32Array(buffer)
    this.#u64 = new BigUint64Array(buffer)
    this.#f64 = new Float64Array(buffer)
    this.#bytes = new Uint8Array(buffer)
    const count = (buffer.byteLength - CONTROL_BYTES) / SLOT_BYTES
    this.slots = Array.from(
      { length: count },
      (_, index) => new Slot(this, buffer, index, CONTROL_BYTES + index * SLOT_BYTES),
    )
  }

  /** A fresh memory. Pages of slots that are never used cost nothing. */
  static create(slots: number): SharedMemory {
    return new SharedMemory(new SharedArrayBuffer(CONTROL_BYTES + slots * SLOT_BYTES))
  }

  /** The lock's value: it changes with every assignment and every reopening. */
  get version(): number {
    return Atomics.load(this.#i32, VERSION / 4)
  }

  /** Engine: replaces the work and wakes all workers. @param work null: idle */
  assign(work: SharedWork | null): void {
    this.#write(() => {
      this.#u64[SEQUENCE / 8] = BigInt(work?.sequence ?? 0)
      if (!work) return
      this.#f64[ASSIGNED_AT / 8] = work.assignedAt
      this.#f64[PER_HASH / 8] = work.perHash
      this.#u64[TOP / 8] = work.top
      this.#u32[FLAGS / 4] = (work.stopAtCandidate ? FLAG_STOP : 0) | (work.range ? FLAG_RANGE : 0)
      this.#u32[PREFIX_LENGTH / 4] = work.prefix.length
      this.#bytes.set(work.prefix, PREFIX)
      this.#bytes.set(work.header, HEADER)
      if (!work.range) return
      this.#bytes.set(work.range.first, FIRST)
      this.#bytes.set(work.range.last, LAST)
      Atomics.store(this.#i64, LEASE / 8, leaseTag(work.sequence) << LEASE_BITS)
    })
  }

  /** Engine: lets workers that sleep (the work's end was claimed, or its range had no chunk left) look again. */
  reopen(): void {
    this.#write(() => {})
  }

  /** Whether a worker has claimed the end of the work that is current. */
  get claimed(): boolean {
    return Atomics.load(this.#i32, WINNER / 4) !== this.version
  }

  /** Engine: wakes workers that sleep, so that they see their slot's `leave`. */
  wake(): void {
    Atomics.notify(this.#i32, VERSION / 4)
  }

  /**
   * Worker: the work of an even `version`; null when there is none, undefined when the engine has gone on meanwhile.
   */
  read(version: number): SharedWork | null | undefined {
    const sequence = Number(this.#u64[SEQUENCE / 8])
    const flags = this.#u32[FLAGS / 4]!
    const work: SharedWork = {
      sequence,
      assignedAt: this.#f64[ASSIGNED_AT / 8]!,
      perHash: this.#f64[PER_HASH / 8]!,
      top: this.#u64[TOP / 8]!,
      header: this.#bytes.slice(HEADER, HEADER + 32),
      prefix: this.#bytes.slice(PREFIX, PREFIX + this.#u32[PREFIX_LENGTH / 4]!),
      range:
        flags & FLAG_RANGE
          ? {
              first: this.#bytes.slice(FIRST, FIRST + NONCE_BYTES),
              last: this.#bytes.slice(LAST, LAST + NONCE_BYTES),
            }
          : undefined,
      stopAtCandidate: (flags & FLAG_STOP) !== 0,
    }
    if (version & 1 || this.version !== version) return undefined
    return sequence === 0 ? null : work
  }

  /** Worker: sleeps until the version is another one; returns after a quarter of a second at the latest. */
  sleep(version: number): void {
    Atomics.wait(this.#i32, VERSION / 4, version, NAP)
  }

  /** Worker: whether the work of `version` may still be searched. */
  isOpen(version: number): boolean {
    return Atomics.load(this.#i32, WINNER / 4) === version
  }

  /**
   * Worker: whether a row of the work of `version` still counts: nobody has ended its search, nor replaced it. One
   * exchange decides, the same for every row.
   * @param ends whether the row ends the search, for all: true for one worker only
   */
  admit(version: number, ends: boolean): boolean {
    const then = ends ? (version + 1) | 0 : version
    return Atomics.compareExchange(this.#i32, WINNER / 4, version, then) === version
  }

  /** Worker: the number of the next chunk of the range of `sequence`; undefined when that is not the current work. */
  leaseChunk(sequence: number): bigint | undefined {
    for (;;) {
      const lease = Atomics.load(this.#i64, LEASE / 8)
      if (lease >> LEASE_BITS !== leaseTag(sequence)) return undefined
      if (Atomics.compareExchange(this.#i64, LEASE / 8, lease, lease + 1n) === lease) {
        return BigInt.asUintN(Number(LEASE_BITS), lease)
      }
    }
  }

  #write(payload: () => void): void {
    const version = this.version
    const next = (version + 2) | 0
    Atomics.store(this.#i32, VERSION / 4, (version + 1) | 0)
    payload()
    Atomics.store(this.#i32, WINNER / 4, next)
    Atomics.store(this.#i32, VERSION / 4, next)
    Atomics.notify(this.#i32, VERSION / 4)
  }
}

/** The block of one worker. */
export class Slot {
  readonly index: number
  readonly #memory: SharedMemory
  readonly #i32: Int32Array
  readonly #i64: BigInt64Array
  readonly #f64: Float64Array
  readonly #ring: Uint8Array
  readonly #ringSequences: DataView

  constructor(memory: SharedMemory, buffer: SharedArrayBuffer, index: number, offset: number) {
    this.index = index
    this.#memory = memory
    this.#i32 = new Int32Array(buffer, offset, RING / 4)
    this.#i64 = new BigInt64Array(buffer, offset, RING / 8)
    this.#f64 = new Float64Array(buffer, offset, RING / 8)
    this.#ring = new Uint8Array(buffer, offset + RING, RING_ENTRIES * ENTRY_BYTES)
    this.#ringSequences = new DataView(buffer, offset + RING, RING_ENTRIES * ENTRY_BYTES)
  }

  /** Engine: makes the slot ready for a new worker; the count of planes stays, so that no nonce comes twice. */
  reset(): void {
    for (const word of [LEAVE, HEARTBEAT, HEAD, TAIL, DRAINED]) Atomics.store(this.#i32, word / 4, 0)
    for (const word of [HASHES, SLOT_SEQUENCE, SEQUENCE_HASHES, PROGRESS_SEQUENCE])
      Atomics.store(this.#i64, word / 8, 0n)
    this.#f64[SWITCH_MS / 8] = 0
    this.#f64[EXPECTED_SEALS / 8] = 0
    // An odd version is never current.
    Atomics.store(this.#i32, DRAINED / 4, 1)
    Atomics.store(this.#i64, PROGRESS / 8, NO_CHUNK)
  }

  /** Engine: asks the worker to end. */
  leave(): void {
    Atomics.store(this.#i32, LEAVE / 4, 1)
    Atomics.notify(this.#i32, TAIL / 4)
    this.#memory.wake()
  }

  get leaving(): boolean {
    return Atomics.load(this.#i32, LEAVE / 4) !== 0
  }

  /** Grows at least every quarter of a second while the worker lives. */
  get heartbeat(): number {
    return Atomics.load(this.#i32, HEARTBEAT / 4)
  }

  beat(): void {
    Atomics.add(this.#i32, HEARTBEAT / 4, 1)
  }

  /** Nonces tested, all works. */
  get hashes(): bigint {
    return Atomics.load(this.#i64, HASHES / 8)
  }

  /** Σ 1 / difficulty over the nonces counted. */
  get expectedSeals(): number {
    return this.#f64[EXPECTED_SEALS / 8]!
  }

  /** The work that the worker took up last. */
  get sequence(): number {
    return Number(Atomics.load(this.#i64, SLOT_SEQUENCE / 8))
  }

  /** Milliseconds from the assignment of `sequence` until the worker took it up. */
  get switchMs(): number {
    return this.#f64[SWITCH_MS / 8]!
  }

  /** Nonces counted for `sequence`. */
  hashesOf(sequence: number): bigint {
    if (this.sequence !== sequence) return 0n
    const hashes = Atomics.load(this.#i64, SEQUENCE_HASHES / 8)
    return this.sequence === sequence ? hashes : 0n
  }

  /** Worker: begins to count for a work. */
  take(work: SharedWork): void {
    if (this.sequence === work.sequence) return
    Atomics.store(this.#i64, SLOT_SEQUENCE / 8, 0n)
    Atomics.store(this.#i64, SEQUENCE_HASHES / 8, 0n)
    this.#f64[SWITCH_MS / 8] = sharedNow() - work.assignedAt
    Atomics.store(this.#i64, SLOT_SEQUENCE / 8, BigInt(work.sequence))
  }

  /** Worker: nonces tested, whether they count for a work or not. */
  addHashes(count: number): void {
    Atomics.add(this.#i64, HASHES / 8, BigInt(count))
  }

  /** Worker: nonces that count for the work that was taken. */
  count(work: SharedWork, count: number): void {
    Atomics.add(this.#i64, SEQUENCE_HASHES / 8, BigInt(count))
    this.#f64[EXPECTED_SEALS / 8]! += count * work.perHash
  }

  /** Worker: the number of a plane that this slot has never begun. */
  nextPlane(): bigint {
    return Atomics.add(this.#i64, PLANES / 8, 1n)
  }

  /** Worker: has no chunk of the range to search at this version. */
  markDrained(version: number): void {
    Atomics.store(this.#i32, DRAINED / 4, version)
  }

  get drainedAt(): number {
    return Atomics.load(this.#i32, DRAINED / 4)
  }

  /** What is left to do of this slot's chunk of the range of `sequence`. */
  progress(sequence: number): Progress | undefined {
    const value = Atomics.load(this.#i64, PROGRESS / 8)
    if (value === NO_CHUNK || Number(Atomics.load(this.#i64, PROGRESS_SEQUENCE / 8)) !== sequence) return undefined
    return { chunk: value / OFFSETS, offset: Number(value % OFFSETS) }
  }

  /** Worker: owns a chunk of the range of `sequence` from now on. */
  beginChunk(sequence: number, progress: Progress): void {
    Atomics.store(this.#i64, PROGRESS / 8, NO_CHUNK)
    Atomics.store(this.#i64, PROGRESS_SEQUENCE / 8, BigInt(sequence))
    Atomics.store(this.#i64, PROGRESS / 8, wordOf(progress))
  }

  /** Worker: whether this is where it is in its chunk; not so once another worker inherited it. */
  holds(progress: Progress): boolean {
    return Atomics.load(this.#i64, PROGRESS / 8) === wordOf(progress)
  }

  /** Worker: goes on in its chunk. False when the chunk was inherited by another worker meanwhile. */
  advance(from: Progress, offset: number): boolean {
    return this.#exchange(from, wordOf({ ...from, offset }))
  }

  /** Owner or heir: takes the chunk away, so that exactly one worker ends it. False when another one was faster. */
  takeChunk(from: Progress): boolean {
    return this.#exchange(from, NO_CHUNK)
  }

  #exchange(from: Progress, to: bigint): boolean {
    const word = wordOf(from)
    return Atomics.compareExchange(this.#i64, PROGRESS / 8, word, to) === word
  }

  /** Worker: whether the ring has room for a candidate. */
  get hasRoom(): boolean {
    return ((Atomics.load(this.#i32, HEAD / 4) - Atomics.load(this.#i32, TAIL / 4)) | 0) < RING_ENTRIES
  }

  /** Worker: sleeps until the ring may have room; returns after a millisecond at the latest, to look for new work. */
  awaitRoom(): void {
    const tail = Atomics.load(this.#i32, TAIL / 4)
    if (!this.hasRoom) Atomics.wait(this.#i32, TAIL / 4, tail, 1)
  }

  /** Worker: puts a candidate into the ring, which has room, where the engine sees it after `publish`. */
  write(sequence: number, nonce: Uint8Array): void {
    const entry = ringEntry(Atomics.load(this.#i32, HEAD / 4))
    this.#ringSequences.setBigUint64(entry, BigInt(sequence), true)
    this.#ring.set(nonce, entry + 8)
  }

  /** Worker: shows the candidate written last. True when the engine must be told, since it has seen all before it. */
  publish(): boolean {
    const head = Atomics.add(this.#i32, HEAD / 4, 1)
    return Atomics.load(this.#i32, TAIL / 4) === head
  }

  /** Engine: the oldest candidate in the ring, which stays there until `drop`. */
  peek(): { readonly sequence: number; readonly nonce: Uint8Array } | undefined {
    const tail = Atomics.load(this.#i32, TAIL / 4)
    if (Atomics.load(this.#i32, HEAD / 4) === tail) return undefined
    const entry = ringEntry(tail)
    return {
      sequence: Number(this.#ringSequences.getBigUint64(entry, true)),
      nonce: this.#ring.slice(entry + 8, entry + ENTRY_BYTES),
    }
  }

  /** Engine: frees the place of the oldest candidate. */
  drop(): void {
    Atomics.add(this.#i32, TAIL / 4, 1)
    Atomics.notify(this.#i32, TAIL / 4)
  }
}

const leaseTag = (sequence: number): bigint => BigInt(sequence) & 0xffffn

const ringEntry = (position: number): number => ((position >>> 0) % RING_ENTRIES) * ENTRY_BYTES
