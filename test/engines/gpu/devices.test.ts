/** Which devices there are, which are used, and who else uses them. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CudaApi, initialise } from "../../../src/engines/gpu/cuda/api.ts"
import type { GpuDevice } from "../../../src/engines/gpu/device.ts"
import { lockDevice, lockDirectories } from "../../../src/engines/gpu/device-lock.ts"
import { eachOnce, findDevices } from "../../../src/engines/gpu/find-devices.ts"
import { NoDriver, openLibrary } from "../../../src/engines/gpu/library.ts"
import { selectDevices } from "../../../src/engines/gpu/select-devices.ts"
import { OperatorError } from "../../../src/errors.ts"
import { DEVICE } from "./fake-compute.ts"
import { fakeCuda } from "./fake-cuda.ts"

const device = (changes: Partial<GpuDevice>): GpuDevice => ({ ...DEVICE, ...changes })
const none = () => {
  throw new NoDriver("no driver")
}

describe("devices of both APIs", () => {
  const cuda = device({ api: "cuda", pci: "0000:01:00.0", uuid: "aa" })

  test("are one card where their PCI addresses are the same", () => {
    const same = device({ index: 3 })
    const another = device({ pci: "0000:02:00.0", index: 4 })
    expect(eachOnce([cuda], [same, another])).toEqual([
      { device: cuda, other: same },
      { device: another, other: undefined },
    ])
  })

  test("are one card where their UUIDs are the same", () => {
    const same = device({ pci: undefined, uuid: "aa" })
    expect(eachOnce([cuda], [same])).toEqual([{ device: cuda, other: same }])
  })

  test("are two cards where nothing tells", () => {
    const unknown = device({ pci: undefined, uuid: undefined })
    expect(eachOnce([], [unknown, unknown])).toHaveLength(2)
  })

  test("are one card where two OpenCL platforms list it", () => {
    expect(eachOnce([], [device({ index: 0 }), device({ index: 1 })])).toEqual([
      { device: device({ index: 0 }), other: device({ index: 1 }) },
    ])
  })

  test("are found where one driver is missing, and why is told", () => {
    const found = findDevices({
      cuda: () => initialise(new CudaApi(fakeCuda([{ name: "Card", bus: 1 }]).functions)),
      opencl: none,
    })
    expect(found.devices.map(({ device }) => device.name)).toEqual(["Card"])
    expect(found.missing).toEqual(["no driver"])
    expect(found.failures).toEqual([])
    expect(findDevices({ cuda: none, opencl: none }).devices).toEqual([])
  })
})

test("a driver that is there and fails is told from one that is not there", () => {
  const cuda = fakeCuda([{ name: "Card", bus: 1 }])
  cuda.fail("cuInit", 803)
  const found = findDevices({ cuda: () => initialise(new CudaApi(cuda.functions)), opencl: none })
  expect(found.missing).toEqual(["no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "no driver"])
  expect(found.failures).toEqual(["no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"])
})

describe("a library", () => {
  const open = (name: string, symbol: string) => () => openLibrary("CUDA", [name], { [symbol]: { returns: "i32" } })

  test("that is not there is not supported, by name", () => {
    expect(open("libnone.so.1", "f")).toThrow(new NoDriver("no CUDA driver: there is no libnone.so.1"))
  })

  test("that lacks a function is too old", () => {
    expect(open("libc.so.6", "cuInit")).toThrow("no CUDA driver: libc.so.6 is too old: it has no cuInit")
  })

  test("that cannot be loaded is told in the loader's words", () => {
    const directory = mkdtempSync(join(tmpdir(), "library-"))
    const path = join(directory, "libcuda.so.1")
    writeFileSync(path, "no library")
    expect(open(path, "cuInit")).toThrow(/^no CUDA driver: .*file too short/)
    rmSync(directory, { recursive: true })
  })
})

describe("picking devices", () => {
  const found = [
    { device: device({ name: "A", pci: "0000:01:00.0" }), other: undefined },
    { device: device({ name: "I", pci: "0000:00:02.0", integrated: true }), other: undefined },
    { device: device({ name: "B", pci: "0000:02:00.0" }), other: undefined },
  ]
  const picked = (selection: Parameters<typeof selectDevices>[1], integrated = false) =>
    selectDevices(found, selection, integrated).map(({ device }) => device.name)

  test("leaves integrated ones out beside discrete ones, unless they are allowed or named", () => {
    expect(picked({ kind: "all" })).toEqual(["A", "B"])
    expect(picked({ kind: "all" }, true)).toEqual(["A", "I", "B"])
    expect(picked({ kind: "list", devices: [1] })).toEqual(["I"])
    expect(selectDevices([found[1]!], { kind: "all" }, false)).toHaveLength(1)
  })

  test("takes a count, indexes and PCI addresses, each card once", () => {
    expect(picked({ kind: "count", count: 0 })).toEqual([])
    expect(picked({ kind: "count", count: 1 })).toEqual(["A"])
    expect(picked({ kind: "list", devices: ["0000:02:00.0", 2, 0] })).toEqual(["B", "A"])
  })

  test("refuses more than there are, and names that nothing has", () => {
    for (const [selection, message] of [
      [{ kind: "count", count: 3 }, "--gpu-devices 3 is more than there are: 2"],
      [{ kind: "list", devices: [7] }, "names 7"],
      [{ kind: "list", devices: ["0000:09:00.0"] }, "names 0000:09:00.0"],
    ] as const) {
      expect(() => picked(selection)).toThrow(OperatorError)
      expect(() => picked(selection)).toThrow(message)
    }
  })
})

describe("a device's lock", () => {
  const directory = mkdtempSync(join(tmpdir(), "device-lock-"))
  afterAll(() => rmSync(directory, { recursive: true }))

  test("is held by one at a time, and names the holder", () => {
    const first = lockDevice(DEVICE, [directory])
    if (first.kind !== "locked") throw new Error(first.kind)
    expect(lockDevice(DEVICE, [directory])).toEqual({ kind: "taken", process: String(process.pid) })
    expect(lockDevice(device({ pci: "0000:02:00.0" }), [directory]).kind).toBe("locked")
    first.lock.release()
    expect(lockDevice(DEVICE, [directory]).kind).toBe("locked")
  })

  test("is one for each part of a card", () => {
    const part = (of: string) => lockDevice(device({ pci: "0000:07:00.0", part: of }), [directory])
    expect([part("aa"), part("bb"), part("aa")].map(({ kind }) => kind)).toEqual(["locked", "locked", "taken"])
  })

  test("may be taken by any user, whatever the mask of files", () => {
    const mask = process.umask(0o077)
    try {
      const locked = lockDevice(device({ pci: "0000:05:00.0" }), [directory])
      if (locked.kind !== "locked") throw new Error(locked.kind)
      locked.lock.release()
    } finally {
      process.umask(mask)
    }
    const path = join(directory, "quantus-miner-gpu-0000_05_00.0.lock")
    expect(statSync(path).mode & 0o777).toBe(0o666)
  })

  test("is not taken by a link that leads elsewhere", () => {
    const victim = join(directory, "victim")
    writeFileSync(victim, "precious")
    symlinkSync(victim, join(directory, "quantus-miner-gpu-0000_06_00.0.lock"))
    expect(lockDevice(device({ pci: "0000:06:00.0" }), [directory])).toEqual({ kind: "unlockable" })
    expect(readFileSync(victim, "utf8")).toBe("precious")
  })

  test("is made in the first directory that can be written to", () => {
    expect(lockDevice(device({ pci: "0000:03:00.0" }), ["/nowhere", directory]).kind).toBe("locked")
    expect(lockDevice(DEVICE, ["/nowhere"])).toEqual({ kind: "unlockable" })
  })

  test("is looked for where all users' miners look", () => {
    expect(lockDirectories({ RUNTIME_DIRECTORY: "/run/a:/run/b" })).toEqual(["/run/lock", "/run/a", tmpdir()])
  })
})
