/**
 * The memory that an engine shares with its workers: one `SharedArrayBuffer` that holds a control block and a slot for
 * each worker. Little-endian, offsets in bytes.
 *
 *     control block (512)                                        written by
 *       0  i32  version: sequence lock of the work below;          engine
 *               odd while it is being written, workers sleep on it
 *      64  i32  winner: = version while the work is open,          engine opens, a worker claims
 *               = version + 1 once a worker has claimed its end
 *     128  i64  lease: 12-bit tag of the sequence, 11-bit slot of  engine resets, workers take
 *               the last lessee (2047: none), 41-bit number of the
 *               range's next chunk
 *     192  u64  sequence of the work, 0: none                    ┐
 *     200  f64  time of its assignment, `sharedNow`              │
 *     208  f64  1 / difficulty                                   │
 *     216  u64  target's top 64 bits                             │ engine, under the sequence lock
 *     224  u32  flags (STOP, RANGE);  228 u32 length of prefix   │
 *     232  16 B prefix;  256 32 B header                         │
 *     288  64 B range's first nonce;  352 64 B its last          ┘
 *
 *     slots (`slot.ts`)
 */
import { CHUNK_BITS, SLOT_BYTES, Slot } from "./slot.ts"
import type { ChunkBounds, EngineMemory, EngineSlot, Progress, SharedWork, WorkerMemory, WorkerSlot } from "./views.ts"

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
const NONCE_BYTES = 64
/** The work is from `SEQUENCE` to here. */
const WORK_END = LAST + NONCE_BYTES

const FLAG_STOP = 1
const FLAG_RANGE = 2

/** The range's next chunk, and the slot that leased the one before it. */
interface Lease {
  readonly tag: bigint
  readonly lessee: number
  readonly next: bigint
}

const TAG_BITS = 12
const LESSEE_BITS = 11
const NO_LESSEE = 2 ** LESSEE_BITS - 1

/** Longest sleep of a worker between two heartbeats, in milliseconds. */
const NAP_MS = 250

/** A flag that one thread sets and others read. */
export class SharedFlag {
  /** For the other threads. */
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  get value(): boolean {
    return Atomics.load(this.#words, 0) !== 0
  }

  set value(value: boolean) {
    Atomics.store(this.#words, 0, value ? 1 : 0)
  }
}

/** A fresh memory. Pages of slots that are never used cost nothing. */
export const createMemory = (slots: number): EngineMemory => SharedMemory.create(slots)

/** The memory that a worker's order refers to. */
export const openMemory = (buffer: SharedArrayBuffer): WorkerMemory => new SharedMemory(buffer)

/**
 * Both views in one, for tests that play both sides.
 *
 * The work is copied to and from shared memory by atomic accesses, word for word. Ordinary ones would not do: neither
 * the language nor an ARM core keeps the order of an ordinary store and an earlier atomic one, or of an ordinary load and
 * a later atomic one, so a reader could see parts of two works under one even version. See docs/arm64.md.
 */
export class SharedMemory implements EngineMemory, WorkerMemory {
  readonly buffer: SharedArrayBuffer
  readonly slots: readonly Slot[]
  readonly #i32: Int32Array
  readonly #i64: BigInt64Array
  /** This thread's copy of the control block, of which only the work is used. */
  readonly #copy: Int32Array
  readonly #u32: Uint32Array
  readonly #u64: BigUint64Array
  readonly #f64: Float64Array
  readonly #bytes: Uint8Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#i32 = new Int32Array(buffer)
    this.#i64 = new BigInt64Array(buffer)
    const copy = new ArrayBuffer(CONTROL_BYTES)
    this.#copy = new Int32Array(copy)
    this.#u32 = new Uint32Array(copy)
    this.#u64 = new BigUint64Array(copy)
    this.#f64 = new Float64Array(copy)
    this.#bytes = new Uint8Array(copy)
    const count = (buffer.byteLength - CONTROL_BYTES) / SLOT_BYTES
    this.slots = Array.from(
      { length: count },
      (_, index) => new Slot(buffer, index, CONTROL_BYTES + index * SLOT_BYTES, () => this.#wake()),
    )
  }

  static create(slots: number): SharedMemory {
    return new SharedMemory(new SharedArrayBuffer(CONTROL_BYTES + slots * SLOT_BYTES))
  }

  get version(): number {
    return Atomics.load(this.#i32, VERSION / 4)
  }

  assign(work: SharedWork | null): void {
    this.#u64[SEQUENCE / 8] = BigInt(work?.sequence ?? 0)
    if (work) this.#compose(work)
    this.#write(() => {
      for (let word = SEQUENCE / 4; word < WORK_END / 4; word++) Atomics.store(this.#i32, word, this.#copy[word]!)
      if (work?.range)
        Atomics.store(this.#i64, LEASE / 8, leaseWord({ tag: leaseTag(work.sequence), lessee: NO_LESSEE, next: 0n }))
    })
  }

  /** Writes a work to this thread's copy, except for its sequence. */
  #compose(work: SharedWork): void {
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
  }

  claim(): void {
    this.admit(this.version, true)
  }

  reopen(): void {
    this.#write(() => {})
  }

  get claimed(): boolean {
    return Atomics.load(this.#i32, WINNER / 4) !== this.version
  }

  /** Wakes workers that sleep, so that they see their slot's `leave`. */
  #wake(): void {
    Atomics.notify(this.#i32, VERSION / 4)
  }

  read(version: number): SharedWork | null | undefined {
    for (let word = SEQUENCE / 4; word < WORK_END / 4; word++) this.#copy[word] = Atomics.load(this.#i32, word)
    if (version & 1 || this.version !== version) return undefined
    const sequence = Number(this.#u64[SEQUENCE / 8])
    if (sequence === 0) return null
    const flags = this.#u32[FLAGS / 4]!
    return {
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
  }

  sleep(version: number): void {
    Atomics.wait(this.#i32, VERSION / 4, version, NAP_MS)
  }

  isOpen(version: number): boolean {
    return Atomics.load(this.#i32, WINNER / 4) === version
  }

  admit(version: number, ends: boolean): boolean {
    const then = ends ? (version + 1) | 0 : version
    return Atomics.compareExchange(this.#i32, WINNER / 4, version, then) === version
  }

  /**
   * A worker may die at any step, so the lease word and the slots tell at every moment who owns which chunk: a worker shows
   * its intention in its slot before it exchanges the lease word, which names the last lessee. Whoever leases the next
   * chunk first turns the last lessee's intention into a place. An intention whose chunk the lease word does not give to
   * its slot is therefore void.
   */
  lease(slot: WorkerSlot, sequence: number, bounds: ChunkBounds): Progress | undefined {
    const own = this.slots[slot.index]!
    const tag = leaseTag(sequence)
    for (;;) {
      const word = Atomics.load(this.#i64, LEASE / 8)
      const lease = leaseOf(word)
      const part = lease.tag === tag ? bounds(lease.next) : undefined
      if (!part) return undefined
      this.#settle(lease, sequence, bounds)
      own.intend(sequence, lease.next)
      const taken = leaseWord({ tag, lessee: slot.index, next: lease.next + 1n })
      if (Atomics.compareExchange(this.#i64, LEASE / 8, word, taken) !== word) continue
      const progress = { sequence, chunk: lease.next, offset: part.begin }
      return own.begin(progress) ? progress : undefined
    }
  }

  /** Turns the last lessee's intention into a place, in case it has not done so. */
  #settle({ lessee, next }: Lease, sequence: number, bounds: ChunkBounds): void {
    if (lessee === NO_LESSEE) return
    const chunk = next - 1n
    this.slots[lessee]!.begin({ sequence, chunk, offset: bounds(chunk)!.begin })
  }

  reclaim({ index }: EngineSlot, sequence: number, bounds: ChunkBounds): Progress | undefined {
    const slot = this.slots[index]!
    for (;;) {
      const intended = slot.intention(sequence)
      if (intended === undefined) {
        const progress = slot.progress(sequence)
        if (progress === undefined || progress.offset >= bounds(progress.chunk)!.end) return undefined
        if (slot.takeChunk(progress)) return progress
      } else {
        const lease = leaseOf(Atomics.load(this.#i64, LEASE / 8))
        if (lease.tag !== leaseTag(sequence)) return undefined
        if (lease.lessee === index && lease.next === intended + 1n) this.#settle(lease, sequence, bounds)
        else if (slot.intention(sequence) === intended) return undefined
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

const leaseTag = (sequence: number): bigint => BigInt(sequence % 2 ** TAG_BITS)

const leaseWord = ({ tag, lessee, next }: Lease): bigint =>
  BigInt.asIntN(64, (((tag << BigInt(LESSEE_BITS)) | BigInt(lessee)) << BigInt(CHUNK_BITS)) | next)

const leaseOf = (word: bigint): Lease => ({
  tag: BigInt.asUintN(TAG_BITS, word >> BigInt(CHUNK_BITS + LESSEE_BITS)),
  lessee: Number(BigInt.asUintN(LESSEE_BITS, word >> BigInt(CHUNK_BITS))),
  next: BigInt.asUintN(CHUNK_BITS, word),
})
