/** The CUDA layer against a driver in TypeScript. */
import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DeviceError } from "../../../src/engines/gpu/compute.ts"
import { CudaApi, type CudaFunctions, initialise } from "../../../src/engines/gpu/cuda/api.ts"
import { openCudaCompute } from "../../../src/engines/gpu/cuda/compute.ts"
import { cudaDevices } from "../../../src/engines/gpu/cuda/devices.ts"
import { deviceKey } from "../../../src/engines/gpu/device.ts"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import { nonceAt } from "../../../src/engines/threads/range.ts"
import { DEVICE_KERNELS } from "../../../src/kernel/device-program.ts"
import { spongeBeforeLast } from "../../../src/kernel/nonce-plane.ts"
import { renderPtx } from "../../../src/kernel/ptx/ptx-program.ts"
import { mod } from "../../../src/pow/field.ts"
import { nonceHash } from "../../../src/pow/nonce-hash.ts"
import { permute } from "../../../src/pow/poseidon2.ts"
import { fakeCuda } from "./fake-cuda.ts"

const CARDS = [
  { name: "Card A", bus: 1 },
  { name: "Card B", bus: 0x41, display: true },
] as const
const ptx = renderPtx({ groupSize: 64 })

function opened() {
  const fake = fakeCuda(CARDS)
  const api = new CudaApi(fake.functions)
  const compute = openCudaCompute(api, cudaDevices(api)[0]!, ptx, DEVICE_KERNELS)
  return { fake, search: new DeviceSearch("cuda", compute) }
}

test("lists devices with their identities", () => {
  const [first, second] = cudaDevices(initialise(new CudaApi(fakeCuda(CARDS).functions)), "/nowhere")
  expect(first).toEqual({
    api: "cuda",
    index: 0,
    name: "Card A",
    memory: 8 * 2 ** 30,
    computeUnits: 2,
    integrated: false,
    processor: false,
    display: false,
    pci: "0000:01:00.0",
    uuid: "01".repeat(16),
    part: undefined,
    driver: "CUDA 12.4",
    architecture: "sm_89",
  })
  expect(second).toMatchObject({ index: 1, pci: "0000:41:00.0", display: true })
})

test("distinguishes a MIG instance from the card if the driver does", () => {
  const listed = (
    cards: Parameters<typeof fakeCuda>[0],
    change: (functions: CudaFunctions) => CudaFunctions = f => f,
  ) => cudaDevices(initialise(new CudaApi(change(fakeCuda(cards).functions))), "/nowhere")[0]!
  const part = listed([{ name: "Card", bus: 1, part: 7 }])
  expect(part).toMatchObject({ uuid: "01".repeat(16), part: "07".repeat(16) })
  expect(deviceKey(part)).toBe("07".repeat(16))
  expect(listed(CARDS).part).toBeUndefined()
  expect(listed(CARDS, ({ cuDeviceGetUuid_v2: _, ...older }) => older).part).toBeUndefined()
})

test("lists the devices of a driver that reports no UUID (384 … 395)", () => {
  const { cuDeviceGetUuid: _, cuDeviceGetUuid_v2: __, ...old } = fakeCuda(CARDS).functions
  expect(cudaDevices(initialise(new CudaApi(old)), "/nowhere")[0]).toMatchObject({ uuid: undefined, part: undefined })
})

test("reads the driver's version from NVML if no kernel module reports it", () => {
  const [device] = cudaDevices(initialise(new CudaApi(fakeCuda(CARDS).functions)), "/nowhere", () => "566.03")
  expect(device!.driver).toBe("CUDA 12.4, driver 566.03")
})

test("reports the driver's version if the kernel module does", () => {
  const root = mkdtempSync(join(tmpdir(), "cuda-"))
  try {
    mkdirSync(join(root, "sys/module/nvidia"), { recursive: true })
    writeFileSync(join(root, "sys/module/nvidia/version"), "550.54.14\n")
    const [device] = cudaDevices(initialise(new CudaApi(fakeCuda(CARDS).functions)), root)
    expect(device!.driver).toBe("CUDA 12.4, driver 550.54.14")
  } finally {
    rmSync(root, { recursive: true })
  }
})

test("a driver without a device is not supported", () => {
  expect(() => initialise(new CudaApi(fakeCuda([]).functions))).toThrow("no CUDA device: cuInit: CUDA_ERROR_NO_DEVICE")
})

test("an error includes the call and the driver's name of the error", () => {
  const fake = fakeCuda(CARDS)
  fake.fail("cuDeviceGetCount", 700)
  expect(() => cudaDevices(new CudaApi(fake.functions))).toThrow(
    new DeviceError("cuDeviceGetCount", "CUDA_ERROR_ILLEGAL_ADDRESS"),
  )
})

test("waits without spinning and frees its resources", () => {
  const { fake, search } = opened()
  search.permute(new BigUint64Array(12))
  expect(fake.calls.slice(fake.calls.indexOf("cuLaunchKernel"))).toEqual([
    "cuLaunchKernel",
    "cuEventCreate",
    "cuEventRecord",
    "cuStreamQuery",
    "cuEventSynchronize",
    "cuEventDestroy_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuStreamSynchronize",
  ])
  search.close()
  expect([...fake.open]).toEqual([])
})

test("the context is destroyed if the program is rejected", () => {
  const fake = fakeCuda(CARDS)
  const api = new CudaApi(fake.functions)
  const [device] = cudaDevices(api)
  fake.fail("cuModuleLoadDataEx", 700)
  expect(() => openCudaCompute(api, device!, ptx, DEVICE_KERNELS)).toThrow("cuModuleLoadDataEx")
  expect([...fake.open]).toEqual([])
})

test("a program that is rejected when its functions are looked up is reported with the compiler's log", () => {
  const fake = fakeCuda(CARDS)
  const api = new CudaApi(fake.functions)
  fake.refusal = "ptxas application ptx input, line 5; fatal"
  expect(() => openCudaCompute(api, cudaDevices(api)[0]!, ptx, DEVICE_KERNELS)).toThrow(
    "cuModuleGetFunction: CUDA_ERROR_INVALID_PTX: ptxas application ptx input, line 5; fatal",
  )
  expect([...fake.open]).toEqual([])
})

test("a launch error is thrown, and the device can be closed", () => {
  const { fake, search } = opened()
  fake.fail("cuLaunchKernel", 700)
  expect(() => search.permute(new BigUint64Array(12))).toThrow(DeviceError)
  search.close()
  expect([...fake.open]).toEqual([])
})

test("a kernel's error is thrown by the next wait, and a new context works", () => {
  const api = new CudaApi(fakeCuda(CARDS).functions)
  const compute = openCudaCompute(api, cudaDevices(api)[0]!, ptx, DEVICE_KERNELS)
  const elements = Array.from({ length: 12 }, () => ({ u64: 0n }))
  compute.launch(0, "permute", 1, 1, [...elements, { memory: { handle: 8n, bytes: 96 } }])
  expect(() => compute.fence(0)).toThrow("cuEventCreate: CUDA_ERROR_ILLEGAL_ADDRESS")
  compute.close()
  const next = openCudaCompute(api, cudaDevices(api)[0]!, ptx, DEVICE_KERNELS)
  expect(() => next.wait(next.fence(0))).not.toThrow()
})

test("the driver reports how many groups a multiprocessor holds, and the registers of a thread", () => {
  const { fake, search } = opened()
  expect(search.residentGroups(64)).toBe(5)
  expect(search.registers).toBe(76)
  fake.fail("cuOccupancyMaxActiveBlocksPerMultiprocessor", 1)
  expect(search.residentGroups(64)).toBeUndefined()
})

test("a group larger than the program's limit is rejected by the driver", () => {
  const { search } = opened()
  search.geometry = { groupSize: 128, groups: 1 }
  expect(() => search.permute(new BigUint64Array(12))).toThrow("cuLaunchKernel: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")
})

test("waiting twice, freeing twice and reading past the end are rejected by the driver", () => {
  const fake = fakeCuda(CARDS)
  const api = new CudaApi(fake.functions)
  const compute = openCudaCompute(api, cudaDevices(api)[0]!, ptx, DEVICE_KERNELS)
  const fence = compute.fence(0)
  compute.wait(fence)
  expect(() => compute.wait(fence)).toThrow("cuEventSynchronize: CUDA_ERROR_INVALID_HANDLE")
  const memory = compute.allocate(64)
  expect(() => compute.read(memory, new Uint8Array(65))).toThrow("cuMemcpyDtoHAsync_v2: CUDA_ERROR_INVALID_VALUE")
  compute.free(memory)
  expect(() => compute.free(memory)).toThrow("cuMemFree_v2: CUDA_ERROR_INVALID_VALUE")
  compute.close()
  expect(() => compute.fence(0)).toThrow("cuEventCreate: CUDA_ERROR_INVALID_CONTEXT")
})

test("a search through driver, program and memory finds the same nonces as the reference", () => {
  const header = new Uint8Array(32).fill(3)
  const nonce = new Uint8Array(64).fill(200)
  nonce.fill(0, 60)
  const tops = Array.from({ length: 24 }, (_, offset) =>
    new DataView(nonceHash(header, nonceAt(nonce, 0xff00 + offset)).buffer).getBigUint64(0),
  )
  const { search } = opened()
  const target = tops[17]!
  search.setTarget(target)
  search.prepareRange(spongeBeforeLast(header, nonce, s => s.set(permute([...s].map(mod)))))
  const found = search.searchRange(0xff00, tops.length)
  expect([...search.hits.subarray(0, found)]).toEqual(tops.flatMap((top, i) => (top <= target ? [i] : [])))
})
