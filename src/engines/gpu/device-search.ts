/**
 * The search on one device: planes, ranges and single permutations, by the kernels of `device-program.ts`. It queues
 * launches and returns their hits in order. It is also a `Kernel`, with one launch at a time, so that it passes the
 * same tests as the kernels of CPUs.
 */
import { type DeviceKernel, HITS, HITS_BYTES } from "../../kernel/device-program.ts"
import { type Kernel, ROW } from "../../kernel/kernel.ts"
import { WIDTH } from "../../pow/constants.ts"
import { type Argument, type Compute, type Fence, type Memory, QUEUES, type Queue } from "./compute.ts"

/** Shape of a launch. */
export interface Geometry {
  /** Threads of a group. */
  readonly groupSize: number
  /** The largest number of groups of a launch; each thread tests several nonces. */
  readonly groups: number
}

/** A queued search. */
export interface Launch {
  readonly kind: "rows" | "range"
  /** The first row, or the last four bytes of the first nonce. */
  readonly first: number
  /** Rows, or nonces. */
  readonly count: number
  /** Nonces. */
  readonly nonces: number
  readonly state: BigUint64Array
  readonly top: bigint
  readonly buffers: Buffers
  readonly fence: Fence
}

/** Memory of a launch. Launches in different queues share none, so that one fills the device while the other ends. */
interface Buffers {
  readonly queue: Queue
  readonly hits: Memory
  readonly columns: Memory
  rows: Memory | undefined
  /** The state whose column parts `columns` holds once the queue is done. */
  columnsOf: BigUint64Array | undefined
}

/** The largest number of queued launches, one in each queue. */
export const IN_FLIGHT = QUEUES.length

const STATE_BYTES = 8 * WIDTH

export class DeviceSearch implements Kernel {
  readonly row = ROW
  readonly hits = new Uint32Array(ROW)
  readonly #compute: Compute
  readonly #out: Memory
  readonly #free: Buffers[]
  /** Buffers for repeating a launch that overflowed. */
  readonly #spare: Buffers
  #geometry: Geometry = { groupSize: 64, groups: 64 }
  #top = 0n
  #state: BigUint64Array = new BigUint64Array(WIDTH)

  constructor(
    readonly name: string,
    compute: Compute,
  ) {
    this.#compute = compute
    this.#out = compute.allocate(STATE_BYTES)
    const buffers = (queue: Queue): Buffers => ({
      queue,
      hits: compute.allocate(HITS_BYTES),
      columns: compute.allocate(ROW * STATE_BYTES),
      rows: undefined,
      columnsOf: undefined,
    })
    this.#free = QUEUES.map(buffers)
    this.#spare = buffers(QUEUES[0])
  }

  /** Groups of the search that one compute unit holds; undefined if the API does not report it. */
  residentGroups(groupSize: number): number | undefined {
    return this.#compute.residentGroups("search", groupSize)
  }

  /** Registers of a thread of the search; undefined if the API does not report it. */
  get registers(): number | undefined {
    return this.#compute.registers("search")
  }

  set geometry(geometry: Geometry) {
    this.#geometry = geometry
  }

  permute(state: BigUint64Array): void {
    const [queue] = QUEUES
    this.#run(queue, "permute", 1, [...elements(state), { memory: this.#out }])
    this.#compute.wait(this.#compute.fence(queue))
    this.#compute.read(this.#out, new Uint8Array(state.buffer, state.byteOffset, STATE_BYTES))
  }

  setTarget(top: bigint): void {
    this.#top = top
  }

  preparePlane(state: BigUint64Array): void {
    this.#state = state.slice()
  }

  prepareRange(state: BigUint64Array): void {
    this.#state = state.slice()
  }

  searchRow(t0: number): number {
    return this.#keep(this.take(this.launchRows(t0, 1)))
  }

  searchRange(first: number, count: number): number {
    return this.#keep(this.take(this.launchRange(first, count)))
  }

  /**
   * Queues rows `first` … `first + count − 1` of the prepared plane.
   * @throws RangeError if `IN_FLIGHT` launches are queued
   */
  launchRows(first: number, count: number): Launch {
    return this.#launch({ kind: "rows", first, count, nonces: count * ROW, state: this.#state, top: this.#top })
  }

  /** Queues nonces of the prepared range whose last four bytes are `first` … `first + count − 1`. */
  launchRange(first: number, count: number): Launch {
    return this.#launch({ kind: "range", first, count, nonces: count, state: this.#state, top: this.#top })
  }

  /**
   * Waits for the oldest launch. One with more hits than fit is repeated in halves.
   * @returns indexes of the hits, ascending: `row · ROW + t1`, or the offset from `first`
   */
  take(launch: Launch): Uint32Array {
    this.#compute.wait(launch.fence)
    const hits = this.#read(launch.buffers)
    this.#free.push(launch.buffers)
    return (hits ?? this.#split(launch)).sort()
  }

  close(): void {
    this.#compute.close()
  }

  #launch(what: Omit<Launch, "buffers" | "fence">): Launch {
    const buffers = this.#free.pop()
    if (!buffers) throw new RangeError(`more than ${IN_FLIGHT} launches are queued`)
    return this.#queue(what, buffers)
  }

  #queue(what: Omit<Launch, "buffers" | "fence">, buffers: Buffers): Launch {
    const { kind, first, count, nonces, state, top } = what
    const { queue, columns } = buffers
    this.#compute.clear(queue, buffers.hits, 4)
    const common: Argument[] = [{ u32: count }, { u64: top }, { memory: buffers.hits }]
    if (kind === "range") {
      this.#run(queue, "range", nonces, [...elements(state), { u32: first }, ...common])
    } else {
      this.#prepareColumns(buffers, state)
      const rows = this.#rows(buffers, count)
      this.#run(queue, "rows", count, [...elements(state), { u32: first }, { u32: count }, { memory: rows }])
      this.#run(queue, "search", nonces, [{ memory: rows }, { memory: columns }, ...common])
    }
    return { ...what, buffers, fence: this.#compute.fence(queue) }
  }

  #prepareColumns(buffers: Buffers, state: BigUint64Array): void {
    if (buffers.columnsOf === state) return
    this.#run(buffers.queue, "columns", ROW, [...elements(state), { memory: buffers.columns }])
    buffers.columnsOf = state
  }

  #rows(buffers: Buffers, count: number): Memory {
    const bytes = count * STATE_BYTES
    if (buffers.rows === undefined || buffers.rows.bytes < bytes) {
      if (buffers.rows) this.#compute.free(buffers.rows)
      buffers.rows = this.#compute.allocate(bytes)
    }
    return buffers.rows
  }

  /** Queues a kernel that has work for `threads` threads. */
  #run(queue: Queue, kernel: DeviceKernel, threads: number, args: readonly Argument[]): void {
    const { groupSize, groups } = this.#geometry
    this.#compute.launch(queue, kernel, Math.min(Math.ceil(threads / groupSize), groups), groupSize, args)
  }

  /** @returns undefined if more hits were found than fit */
  #read({ hits }: Buffers): Uint32Array | undefined {
    const words = new Uint32Array(1 + HITS)
    this.#compute.read(hits, new Uint8Array(words.buffer))
    const count = words[0]!
    return count > HITS ? undefined : words.slice(1, 1 + count)
  }

  #split(launch: Launch): Uint32Array {
    const { kind, first, count } = launch
    const half = Math.ceil(count / 2)
    const parts = [
      { first, count: half, skipped: 0 },
      { first: first + half, count: count - half, skipped: half },
    ]
    const unit = kind === "rows" ? ROW : 1
    const found = parts.flatMap(part => {
      const rerun = this.#queue({ ...launch, ...part, nonces: part.count * unit }, this.#spare)
      this.#compute.wait(rerun.fence)
      return [...(this.#read(this.#spare) ?? this.#split(rerun))].map(index => index + part.skipped * unit)
    })
    return Uint32Array.from(found)
  }

  #keep(indexes: Uint32Array): number {
    this.hits.set(indexes)
    return indexes.length
  }
}

const elements = (state: BigUint64Array): Argument[] => Array.from(state, u64 => ({ u64 }))
