/**
 * A CUDA driver in TypeScript: it keeps a list of the calls made to it, and runs kernels by interpreting their PTX.
 * Like the real one it wants a context that is current, handles that are alive, and addresses inside of what is
 * allocated; and after an error of a kernel it gives that error back from everything but the context's end.
 */
import { type Pointer, ptr, read, toArrayBuffer } from "bun:ffi"
import type { CudaFunctions } from "../../../src/engines/gpu/cuda/api.ts"
import { Attribute } from "../../../src/engines/gpu/cuda/api.ts"
import { PtxMachine } from "../../kernel/ptx/ptx-interpreter.ts"

export interface FakeDevice {
  readonly name: string
  readonly bus: number
  readonly integrated?: boolean
  readonly display?: boolean
  /** The byte that the UUID of the visible MIG instance consists of. */
  readonly part?: number
}

export interface FakeCuda {
  readonly functions: CudaFunctions
  /** Names of the calls, in order. */
  readonly calls: string[]
  /** Contexts, memory, streams and events that were created and not freed. */
  readonly open: Set<string>
  /** The compiler's log for a text that it rejects; empty if it accepts the text. */
  refusal: string
  /** The next call of this name fails with this status. */
  fail(name: keyof CudaFunctions, status: number): void
}

const NAMES: Readonly<Record<number, string>> = {
  2: "CUDA_ERROR_OUT_OF_MEMORY",
  100: "CUDA_ERROR_NO_DEVICE",
  700: "CUDA_ERROR_ILLEGAL_ADDRESS",
  803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
  1: "CUDA_ERROR_INVALID_VALUE",
  218: "CUDA_ERROR_INVALID_PTX",
  201: "CUDA_ERROR_INVALID_CONTEXT",
  400: "CUDA_ERROR_INVALID_HANDLE",
  600: "CUDA_ERROR_NOT_READY",
  701: "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
}
const INVALID_VALUE = 1
const INVALID_CONTEXT = 201
const INVALID_HANDLE = 400
const INVALID_PTX = 218
const ILLEGAL_ADDRESS = 700
const LAUNCH_OUT_OF_RESOURCES = 701

/** Calls that do not need a context. */
const WITHOUT_CONTEXT = /^cu(Init|Driver|GetError|Device|Ctx)/
const MEMORY = 1 << 20

interface Parameter {
  readonly bytes: number
  /** Whether it is an address. */
  readonly pointer: boolean
}

/** Returns the parameters that the text declares, by kernel. */
function parametersOf(ptx: string): Map<string, Parameter[]> {
  const entries = ptx.matchAll(/\.entry (\w+)\(\n([^)]*)\n\)/g)
  const parse = ([, bits, name]: RegExpMatchArray) => ({
    bytes: Number(bits) / 8,
    pointer: /^(out|rows|columns|hits)$/.test(name!),
  })
  return new Map([...entries].map(([, name, list]) => [name!, [...list!.matchAll(/\.b(\d+) (\w+)/g)].map(parse)]))
}

/** Returns the maximum threads of a group that the text declares, by kernel. */
function mostThreads(ptx: string): Map<string, number> {
  const entries = ptx.matchAll(/\.entry (\w+)\([^)]*\)\n\.maxntid (\d+), 1, 1/g)
  return new Map([...entries].map(([, name, threads]) => [name!, Number(threads)]))
}

export function fakeCuda(devices: readonly FakeDevice[]): FakeCuda {
  const calls: string[] = []
  const open = new Set<string>()
  const failures = new Map<string, number>()
  const strings: Uint8Array[] = []
  const functionNames: string[] = []
  let machine: PtxMachine | undefined
  let parameters = new Map<string, Parameter[]>()
  let threads = new Map<string, number>()
  const bytesAt = new Map<number, number>()
  let current: bigint | undefined
  let sticky = 0
  let log: { readonly at: number; readonly bytes: number } | undefined
  let handles = 1n
  let free = 4096

  const set = (into: unknown, value: number | bigint) => {
    const array = into as Int32Array | BigUint64Array
    array[0] = (array instanceof BigUint64Array ? BigInt(value) : Number(value)) as never
    return 0
  }
  const make = (kind: string) => (into: unknown) => {
    handles += 1n
    open.add(`${kind} ${handles}`)
    return set(into, handles)
  }
  const unmake = (kind: string) => (handle: unknown) => (open.delete(`${kind} ${handle}`) ? 0 : INVALID_HANDLE)
  const alive = (kind: string, handle: unknown) => (open.has(`${kind} ${handle}`) ? 0 : INVALID_HANDLE)
  const allocated = (address: bigint, bytes: number) =>
    [...bytesAt].some(([at, room]) => Number(address) >= at && Number(address) + bytes <= at + room)
  const attributes = (index: number): Readonly<Record<number, number>> => ({
    [Attribute.computeUnits]: 2,
    [Attribute.integrated]: devices[index]!.integrated ? 1 : 0,
    [Attribute.kernelTimeout]: devices[index]!.display ? 1 : 0,
    [Attribute.pciBus]: devices[index]!.bus,
    [Attribute.pciDevice]: 0,
    [Attribute.pciDomain]: 0,
    [Attribute.major]: 8,
    [Attribute.minor]: 9,
  })

  const table: { [Name in keyof CudaFunctions]: (...args: never[]) => number } = {
    cuInit: () => (devices.length > 0 ? 0 : 100),
    cuDriverGetVersion: (into: unknown) => set(into, 12_040),
    cuGetErrorName(status: number, into: unknown) {
      const text = new TextEncoder().encode(`${NAMES[status] ?? "CUDA_ERROR_UNKNOWN"}\0`)
      strings.push(text)
      return set(into, BigInt(ptr(text)))
    },
    cuDeviceGetCount: (into: unknown) => set(into, devices.length),
    cuDeviceGet: (into: unknown, index: number) => set(into, index),
    cuDeviceGetName(into: Uint8Array, _length: number, index: number) {
      into.set(new TextEncoder().encode(`${devices[index]!.name}\0`))
      return 0
    },
    cuDeviceTotalMem_v2: (into: unknown) => set(into, 8n * 2n ** 30n),
    cuDeviceGetAttribute: (into: unknown, name: number, index: number) => set(into, attributes(index)[name]!),
    cuDeviceGetUuid(into: Uint8Array, index: number) {
      into.fill(index + 1)
      return 0
    },
    cuDeviceGetUuid_v2(into: Uint8Array, index: number) {
      into.fill(devices[index]!.part ?? index + 1)
      return 0
    },
    cuCtxCreate_v2(into: BigUint64Array) {
      make("context")(into)
      current = into[0]
      return 0
    },
    cuCtxDestroy_v2(context: bigint) {
      if (alive("context", context) !== 0) return INVALID_CONTEXT
      open.clear()
      bytesAt.clear()
      current = undefined
      sticky = 0
      return 0
    },
    cuModuleLoadDataEx(into: unknown, text: Uint8Array, count: number, options: Int32Array, values: BigUint64Array) {
      if ([...options].join() !== "5,6" || count !== 2) return INVALID_VALUE
      log = { at: Number(values[0]), bytes: Number(values[1]) }
      const ptx = new TextDecoder().decode(text.subarray(0, -1))
      machine = new PtxMachine(ptx, MEMORY)
      parameters = parametersOf(ptx)
      threads = mostThreads(ptx)
      return set(into, 77n)
    },
    cuModuleGetFunction(into: unknown, _module: bigint, name: Uint8Array) {
      if (fake.refusal !== "") {
        // Like a driver that loads lazily, this writes to the log buffer of the module.
        const words = new Uint8Array(toArrayBuffer(log!.at as Pointer, 0, log!.bytes))
        words.set(new TextEncoder().encode(`${fake.refusal}\0`))
        return INVALID_PTX
      }
      functionNames.push(new TextDecoder().decode(name.subarray(0, -1)))
      return set(into, BigInt(functionNames.length))
    },
    cuOccupancyMaxActiveBlocksPerMultiprocessor(into: unknown, _fn: bigint, size: number, shared: bigint) {
      return shared === 0n && size > 0 ? set(into, 5) : INVALID_VALUE
    },
    cuFuncGetAttribute: (into: unknown, attribute: number) => (attribute === 4 ? set(into, 76) : INVALID_VALUE),
    cuMemAlloc_v2(into: unknown, bytes: bigint) {
      const address = free
      free += Math.ceil(Number(bytes) / 256) * 256
      open.add(`memory ${address}`)
      bytesAt.set(address, Number(bytes))
      return set(into, BigInt(address))
    },
    cuMemFree_v2(address: bigint) {
      bytesAt.delete(Number(address))
      return unmake("memory")(address) === 0 ? 0 : INVALID_VALUE
    },
    cuMemsetD32Async(address: bigint, value: number, words: bigint, stream: bigint) {
      if (address % 4n !== 0n || !allocated(address, 4 * Number(words))) return INVALID_VALUE
      if (alive("stream", stream) !== 0) return INVALID_HANDLE
      for (let i = 0; i < Number(words); i++) machine!.memory.setUint32(Number(address) + 4 * i, value, true)
      return 0
    },
    cuMemcpyDtoHAsync_v2(into: Uint8Array, address: bigint, bytes: bigint, stream: bigint) {
      if (!allocated(address, Number(bytes))) return INVALID_VALUE
      if (alive("stream", stream) !== 0) return INVALID_HANDLE
      into.set(new Uint8Array(machine!.memory.buffer, Number(address), Number(bytes)))
      return 0
    },
    cuStreamCreate: make("stream"),
    cuStreamQuery: (stream: bigint) => alive("stream", stream) || 600,
    cuStreamSynchronize: (stream: bigint) => alive("stream", stream),
    cuLaunchKernel(fn: bigint, groups: number, _y: number, _z: number, size: number, ...rest: unknown[]) {
      const name = functionNames[Number(fn) - 1]
      if (name === undefined || alive("stream", rest[3]) !== 0) return INVALID_HANDLE
      if (groups === 0) return INVALID_VALUE
      if (size > threads.get(name)!) return LAUNCH_OUT_OF_RESOURCES
      const pointers = rest[4] as BigUint64Array
      const args = parameters.get(name)!.map(({ bytes }, i) => {
        const at = Number(pointers[i]) as Pointer
        return bytes === 8 ? read.u64(at, 0) : read.u32(at, 0)
      })
      const lost = parameters.get(name)!.some(({ pointer }, i) => pointer && !allocated(args[i] as bigint, 8))
      if (lost) sticky = ILLEGAL_ADDRESS
      else machine!.launch(name, groups, size, args)
      return 0
    },
    cuEventCreate: make("event"),
    cuEventRecord: (event: bigint, stream: bigint) => alive("event", event) || alive("stream", stream),
    cuEventSynchronize: (event: bigint) => alive("event", event),
    cuEventDestroy_v2: unmake("event"),
  }
  const functions = Object.fromEntries(
    Object.entries(table).map(([name, run]) => [
      name,
      (...args: never[]) => {
        if (name !== "cuGetErrorName") calls.push(name)
        const status = failures.get(name)
        failures.delete(name)
        if (status !== undefined) return status
        if (WITHOUT_CONTEXT.test(name)) return run(...args)
        return current === undefined ? INVALID_CONTEXT : sticky || run(...args)
      },
    ]),
  ) as unknown as CudaFunctions
  const fake: FakeCuda = { functions, calls, open, refusal: "", fail: (name, status) => failures.set(name, status) }
  return fake
}
