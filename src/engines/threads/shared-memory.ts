/**
 * The memory that an engine shares with its workers: one `SharedArrayBuffer` that holds a control block and a slot for
 * each worker. Little-endian, offsets in bytes.
 *
 *     control block (512)                                        written by
 *       0  i32  version: sequence lock of the work below;          engine
 *               odd while it is being written, workers sleep on it
 *      64  i32  winner: = version while the work is open,          engine opens, a worker claims
 *               = version + 1 once a worker has claimed its end
 *     128  i64  lease: 16-bit tag of the sequence, 47-bit number   engine resets, workers take
 *               of the range's next chunk
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
import { SLOT_BYTES, Slot } from "./slot.ts"
import type { EngineMemory, SharedWork, WorkerMemory } from "./views.ts"

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

const FLAG_STOP = 1
const FLAG_RANGE = 2

const LEASE_BITS = 47n

/** How long a worker sleeps before it beats again, in milliseconds. */
const NAP_MS = 250

/** A fresh memory. Pages of slots that are never used cost nothing. */
export const createMemory = (slots: number): EngineMemory => SharedMemory.create(slots)

/** The memory that a worker's order refers to. */
export const openMemory = (buffer: SharedArrayBuffer): WorkerMemory => new SharedMemory(buffer)

/** Both views in one, for tests that play both sides. */
export class SharedMemory implements EngineMemory, WorkerMemory {
  readonly buffer: SharedArrayBuffer
  readonly slots: readonly Slot[]
  readonly #i32: Int32Array
  readonly #i64: BigInt64Array
  readonly #u32: Uint32Array
  readonly #u64: BigUint64Array
  readonly #f64: Float64Array
  readonly #bytes: Uint8Array

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

const leaseTag = (sequence: number): bigint => BigInt(sequence) & 0xffffn
