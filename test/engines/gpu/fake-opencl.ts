/** An OpenCL driver in TypeScript without a compiler. It returns the values that a test sets and records its calls. */
import {
  BUILD_LOG,
  EVENT_STATUS,
  OPENCL_FUNCTIONS,
  OPENCL_MAKERS,
  OpenClApi,
  type OpenClFunctions,
  type OpenClMakers,
} from "../../../src/engines/gpu/opencl/api.ts"

/** Values that `clGetDeviceInfo` returns, by parameter number; others give CL_INVALID_VALUE. */
export type Answers = Readonly<Record<number, Uint8Array>>

export interface FakeOpenCl {
  readonly api: OpenClApi
  /** Names of the calls, in order. */
  readonly calls: string[]
  /** Results of the next polls of an event's status; later polls return complete. */
  readonly statuses: number[]
  /** The compiler's log; the program is rejected unless it is empty. */
  log: string
}

const SUCCESS = 0
const BUILD_PROGRAM_FAILURE = -11
const EXEC_STATUS_ERROR = -14
const INVALID_VALUE = -30

/** @param devices the GPUs of the only platform */
export function fakeOpenCl(devices: readonly Answers[]): FakeOpenCl {
  const calls: string[] = []
  const statuses: number[] = []
  let handles = 100n

  /** Like a driver, returns the size if requested, and the value only if it fits. */
  const answer = (
    value: Uint8Array | undefined,
    room: bigint,
    into: Uint8Array | null,
    size: BigUint64Array | null,
  ) => {
    if (!value) return INVALID_VALUE
    if (size) size[0] = BigInt(value.length)
    if (into === null) return SUCCESS
    if (Number(room) < value.length) return INVALID_VALUE
    into.set(value)
    return SUCCESS
  }
  const list = (handles: readonly bigint[], into: BigUint64Array, count: Uint32Array) => {
    into.set(handles)
    count[0] = handles.length
    return SUCCESS
  }

  const answers: Partial<Record<keyof OpenClFunctions, (...args: never[]) => number>> = {
    clGetPlatformIDs: (_room: number, into: BigUint64Array, count: Uint32Array) => list([1n], into, count),
    clGetDeviceIDs: (_platform: bigint, _type: bigint, _room: number, into: BigUint64Array, count: Uint32Array) =>
      list(
        devices.map((_, i) => BigInt(i + 2)),
        into,
        count,
      ),
    clGetDeviceInfo: (device: bigint, name: number, room: bigint, into: Uint8Array, size: BigUint64Array | null) =>
      answer(devices[Number(device) - 2]![name], room, into, size),
    clBuildProgram: () => (fake.log === "" ? SUCCESS : BUILD_PROGRAM_FAILURE),
    clGetProgramBuildInfo: (
      _program: bigint,
      _device: bigint,
      name: number,
      room: bigint,
      into: Uint8Array | null,
      size: BigUint64Array | null,
    ) => answer(name === BUILD_LOG ? new TextEncoder().encode(`${fake.log}\0`) : undefined, room, into, size),
    clEnqueueMarkerWithWaitList(_queue: bigint, _count: number, _list: null, into: BigUint64Array) {
      handles += 1n
      into[0] = handles
      return SUCCESS
    },
    clGetEventInfo(_event: bigint, name: number, _room: bigint, into: Int32Array) {
      if (name !== EVENT_STATUS) return INVALID_VALUE
      into[0] = statuses[0] ?? SUCCESS
      // A failed command stays failed.
      if (into[0] >= 0) statuses.shift()
      return SUCCESS
    },
    clWaitForEvents: () => ((statuses[0] ?? SUCCESS) < 0 ? EXEC_STATUS_ERROR : SUCCESS),
  }
  const named = (names: object, run: (name: string, args: never[]) => unknown) =>
    Object.fromEntries(
      Object.keys(names).map(name => [
        name,
        (...args: never[]) => {
          calls.push(name)
          return run(name, args)
        },
      ]),
    )
  const functions = named(
    OPENCL_FUNCTIONS,
    (name, args) => answers[name as keyof OpenClFunctions]?.(...args) ?? SUCCESS,
  )
  const makers = named(OPENCL_MAKERS, (_name, args) => {
    const status: Int32Array = args.at(-1)!
    status[0] = SUCCESS
    handles += 1n
    return handles
  })
  const api = new OpenClApi(functions as unknown as OpenClFunctions, makers as unknown as OpenClMakers)
  const fake: FakeOpenCl = { api, calls, statuses, log: "" }
  return fake
}
