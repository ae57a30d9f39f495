/**
 * A CUDA driver in TypeScript: it keeps a list of the calls made to it, and runs kernels by interpreting their PTX.
 */
import { type Pointer, ptr, read } from "bun:ffi"
import type { CudaFunctions } from "../../../src/engines/gpu/cuda/api.ts"
import { Attribute } from "../../../src/engines/gpu/cuda/api.ts"
import { PtxMachine } from "../../kernel/ptx/ptx-interpreter.ts"

export interface FakeDevice {
  readonly name: string
  readonly bus: number
  readonly integrated?: boolean
  readonly display?: boolean
}

export interface FakeCuda {
  readonly functions: CudaFunctions
  /** Names of the calls, in order. */
  readonly calls: string[]
  /** Contexts, memory, streams and events that were made and not freed. */
  readonly open: Set<string>
  /** The next call of this name fails with this status. */
  fail(name: keyof CudaFunctions, status: number): void
}

const NAMES: Readonly<Record<number, string>> = {
  2: "CUDA_ERROR_OUT_OF_MEMORY",
  100: "CUDA_ERROR_NO_DEVICE",
  700: "CUDA_ERROR_ILLEGAL_ADDRESS",
  803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
}
const MEMORY = 1 << 20

/** Bytes of each parameter of a kernel, by its name, as the text declares them. */
function parameterSizes(ptx: string): Map<string, number[]> {
  const entries = ptx.matchAll(/\.entry (\w+)\(\n([^)]*)\n\)/g)
  return new Map(
    [...entries].map(([, name, list]) => [name!, [...list!.matchAll(/\.b(\d+)/g)].map(([, bits]) => Number(bits) / 8)]),
  )
}

export function fakeCuda(devices: readonly FakeDevice[]): FakeCuda {
  const calls: string[] = []
  const open = new Set<string>()
  const failures = new Map<string, number>()
  const strings: Uint8Array[] = []
  const functionNames: string[] = []
  let machine: PtxMachine | undefined
  let sizes = new Map<string, number[]>()
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
  const unmake = (kind: string) => (handle: unknown) => {
    if (kind === "context") open.clear()
    else open.delete(`${kind} ${handle}`)
    return 0
  }
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
    cuCtxCreate_v2: make("context"),
    cuCtxDestroy_v2: unmake("context"),
    cuModuleLoadDataEx(into: unknown, text: Uint8Array) {
      const ptx = new TextDecoder().decode(text.subarray(0, -1))
      machine = new PtxMachine(ptx, MEMORY)
      sizes = parameterSizes(ptx)
      return set(into, 77n)
    },
    cuModuleGetFunction(into: unknown, _module: bigint, name: Uint8Array) {
      functionNames.push(new TextDecoder().decode(name.subarray(0, -1)))
      return set(into, BigInt(functionNames.length))
    },
    cuMemAlloc_v2(into: unknown, bytes: bigint) {
      const address = free
      free += Math.ceil(Number(bytes) / 256) * 256
      open.add(`memory ${address}`)
      return set(into, BigInt(address))
    },
    cuMemFree_v2: unmake("memory"),
    cuMemsetD32Async(address: bigint, value: number, words: bigint) {
      for (let i = 0; i < Number(words); i++) machine!.memory.setUint32(Number(address) + 4 * i, value, true)
      return 0
    },
    cuMemcpyDtoHAsync_v2(into: Uint8Array, address: bigint, bytes: bigint) {
      into.set(new Uint8Array(machine!.memory.buffer, Number(address), Number(bytes)))
      return 0
    },
    cuStreamCreate: make("stream"),
    cuStreamSynchronize: () => 0,
    cuLaunchKernel(fn: bigint, groups: number, _y: number, _z: number, size: number, ...rest: unknown[]) {
      const name = functionNames[Number(fn) - 1]!
      const pointers = rest[4] as BigUint64Array
      const args = sizes.get(name)!.map((bytes, i) => {
        const at = Number(pointers[i]) as Pointer
        return bytes === 8 ? read.u64(at, 0) : read.u32(at, 0)
      })
      machine!.launch(name, groups, size, args)
      return 0
    },
    cuEventCreate: make("event"),
    cuEventRecord: () => 0,
    cuEventSynchronize: () => 0,
    cuEventDestroy_v2: unmake("event"),
  }
  const functions = Object.fromEntries(
    Object.entries(table).map(([name, run]) => [
      name,
      (...args: never[]) => {
        if (name !== "cuGetErrorName") calls.push(name)
        const status = failures.get(name)
        failures.delete(name)
        return status ?? run(...args)
      },
    ]),
  ) as unknown as CudaFunctions
  return { functions, calls, open, fail: (name, status) => failures.set(name, status) }
}
