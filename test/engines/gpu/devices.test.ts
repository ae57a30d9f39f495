/** Listing, selecting and locking devices. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CudaApi, initialise } from "../../../src/engines/gpu/cuda/api.ts"
import type { GpuDevice } from "../../../src/engines/gpu/device.ts"
import { lockDevice } from "../../../src/engines/gpu/device-lock.ts"
import { eachOnce, findDevices } from "../../../src/engines/gpu/find-devices.ts"
import { libraryNames, NoDriver, openEach, openLibrary } from "../../../src/engines/gpu/library.ts"
import { selectDevices } from "../../../src/engines/gpu/select-devices.ts"
import { OperatorError } from "../../../src/errors.ts"
import { lockFile } from "../../../src/host/file-lock.ts"
import { libc } from "../../../src/host/linux/libc.ts"
import { lockDirectories } from "../../../src/host/linux/linux.ts"
import { DEVICE } from "./fake-compute.ts"
import { fakeCuda } from "./fake-cuda.ts"

const device = (changes: Partial<GpuDevice>): GpuDevice => ({ ...DEVICE, ...changes })
const none = () => {
  throw new NoDriver("no driver")
}

describe("devices that two APIs list", () => {
  const cuda = device({ api: "cuda", pci: "0000:01:00.0", uuid: "aa" })

  test("are one card if their PCI addresses are equal", () => {
    const same = device({ index: 3 })
    const another = device({ pci: "0000:02:00.0", index: 4 })
    expect(eachOnce([cuda], [same, another]).devices).toEqual([
      { device: cuda, other: same },
      { device: another, other: undefined },
    ])
  })

  test("are one card if their UUIDs are equal", () => {
    const same = device({ pci: undefined, uuid: "aa" })
    expect(eachOnce([cuda], [same]).devices).toEqual([{ device: cuda, other: same }])
  })

  test("are two cards if one platform lists both", () => {
    const unknown = device({ pci: undefined, uuid: undefined })
    expect(eachOnce([], [unknown, { ...unknown }]).devices).toHaveLength(2)
  })

  test("are one card if two OpenCL platforms list it", () => {
    expect(eachOnce([], [device({ index: 0 }), device({ index: 1 })]).devices).toEqual([
      { device: device({ index: 0 }), other: device({ index: 1 }) },
    ])
  })

  test("are matched by position if two platforms list equal models without PCI address and UUID", () => {
    const names = {
      rusticl: "AMD Radeon RX 6800 (radeonsi, navi21, LLVM 15.0.6, DRM 3.49)",
      Clover: "AMD Radeon RX 6800 (navi21, LLVM 15.0.6, DRM 3.49)",
    } as const
    const [a, b, c, d] = (["rusticl", "rusticl", "Clover", "Clover"] as const).map((platform, index) =>
      device({ platform, index, name: names[platform], pci: undefined, uuid: undefined }),
    )
    const { devices, notes } = eachOnce([], [a!, b!, c!, d!])
    expect(devices).toEqual([
      { device: a!, other: c },
      { device: b!, other: d },
    ])
    expect(notes[0]).toContain("is listed by rusticl and Clover, without PCI address or UUID: treated as one card")
    const smaller = { ...c!, memory: 1 }
    expect(eachOnce([], [a!, smaller]).devices).toHaveLength(2)
  })

  test("are found if one driver is missing, and the reason is reported", () => {
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

test("a driver that fails is distinguished from an absent one", () => {
  const cuda = fakeCuda([{ name: "Card", bus: 1 }])
  cuda.fail("cuInit", 803)
  const found = findDevices({ cuda: () => initialise(new CudaApi(cuda.functions)), opencl: none })
  expect(found.missing).toEqual(["no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "no driver"])
  expect(found.failures).toEqual(["no CUDA device: cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"])
})

describe("a library", () => {
  const open = (name: string, symbol: string) => () => openLibrary("CUDA", [name], { [symbol]: { returns: "i32" } })

  test("that is absent is reported by name", () => {
    expect(open("libnone.so.1", "f")).toThrow(new NoDriver("no CUDA driver: there is no libnone.so.1"))
  })

  test("that lacks a function is reported as too old", () => {
    expect(open("libc.so.6", "cuInit")).toThrow("no CUDA driver: libc.so.6 is too old: it has no cuInit")
  })

  test("that cannot be loaded is reported with the loader's message", () => {
    const directory = mkdtempSync(join(tmpdir(), "library-"))
    const path = join(directory, "libcuda.so.1")
    writeFileSync(path, "no library")
    expect(open(path, "cuInit")).toThrow(/^no CUDA driver: .*file too short/)
    rmSync(directory, { recursive: true })
  })
})

test("functions newer than the oldest supported driver are opened individually", () => {
  const { getpid, ...others } = openEach(["libc.so.6"], {
    cuDeviceGetUuid: { returns: "i32" },
    getpid: { returns: "i32" },
    cuDeviceGetUuid_v2: { returns: "i32" },
  })
  expect(getpid!()).toBe(process.pid)
  expect(others).toEqual({})
})

test("WSL2's directory of driver libraries is searched after the loader's", () => {
  const names = { linux: ["libcuda.so.1"], win32: ["nvcuda.dll"] }
  expect(libraryNames(names, "linux", () => true)).toEqual(["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"])
  expect(libraryNames(names, "linux", () => false)).toEqual(["libcuda.so.1"])
  expect(libraryNames(names, "win32", () => true)).toEqual(["nvcuda.dll"])
})

describe("device selection", () => {
  const found = [
    { device: device({ name: "A", pci: "0000:01:00.0" }), other: undefined },
    { device: device({ name: "I", pci: "0000:00:02.0", integrated: true }), other: undefined },
    { device: device({ name: "B", pci: "0000:02:00.0" }), other: undefined },
  ]
  const picked = (selection: Parameters<typeof selectDevices>[1], integrated = false) =>
    selectDevices(found, selection, integrated).map(({ device }) => device.name)

  test("excludes integrated GPUs beside discrete ones, unless they are allowed or listed", () => {
    expect(picked({ kind: "all" })).toEqual(["A", "B"])
    expect(picked({ kind: "all" }, true)).toEqual(["A", "I", "B"])
    expect(picked({ kind: "list", devices: [1] })).toEqual(["I"])
    expect(selectDevices([found[1]!], { kind: "all" }, false)).toHaveLength(1)
  })

  test("accepts a count, indexes and PCI addresses, and selects each card once", () => {
    expect(picked({ kind: "count", count: 0 })).toEqual([])
    expect(picked({ kind: "count", count: 1 })).toEqual(["A"])
    expect(picked({ kind: "list", devices: ["0000:02:00.0", 2, 0] })).toEqual(["B", "A"])
  })

  test("rejects a count above the number of GPUs, and names that match no GPU", () => {
    for (const [selection, message] of [
      [{ kind: "count", count: 3 }, "--gpu-devices 3 exceeds the number of GPUs (2)"],
      [{ kind: "list", devices: [7] }, "no GPU matches 7"],
      [{ kind: "list", devices: ["0000:09:00.0"] }, "no GPU matches 0000:09:00.0"],
    ] as const) {
      expect(() => picked(selection)).toThrow(OperatorError)
      expect(() => picked(selection)).toThrow(message)
    }
  })
})

describe("a device's lock", () => {
  const directory = mkdtempSync(join(tmpdir(), "device-lock-"))
  const lockIn = (directories: readonly string[]) => (name: string) => lockFile(name, directories, libc()?.flock)
  afterAll(() => rmSync(directory, { recursive: true }))

  test("has one owner at a time, which is reported to others", () => {
    const first = lockDevice(DEVICE, lockIn([directory]))
    if (first.kind !== "locked") throw new Error(first.kind)
    expect(lockDevice(DEVICE, lockIn([directory]))).toEqual({ kind: "taken", process: String(process.pid) })
    expect(lockDevice(device({ pci: "0000:02:00.0" }), lockIn([directory])).kind).toBe("locked")
    first.lock.release()
    expect(lockDevice(DEVICE, lockIn([directory])).kind).toBe("locked")
  })

  test("is separate for each MIG instance of a card", () => {
    const part = (of: string) => lockDevice(device({ pci: "0000:07:00.0", part: of }), lockIn([directory]))
    expect([part("aa"), part("bb"), part("aa")].map(({ kind }) => kind)).toEqual(["locked", "locked", "taken"])
  })

  test("can be acquired by any user, whatever the umask", () => {
    const mask = process.umask(0o077)
    try {
      const locked = lockDevice(device({ pci: "0000:05:00.0" }), lockIn([directory]))
      if (locked.kind !== "locked") throw new Error(locked.kind)
      locked.lock.release()
    } finally {
      process.umask(mask)
    }
    const path = join(directory, "quantus-miner-gpu-0000_05_00.0.lock")
    expect(statSync(path).mode & 0o777).toBe(0o666)
  })

  test("does not follow a symbolic link", () => {
    const victim = join(directory, "victim")
    writeFileSync(victim, "precious")
    symlinkSync(victim, join(directory, "quantus-miner-gpu-0000_06_00.0.lock"))
    expect(lockDevice(device({ pci: "0000:06:00.0" }), lockIn([directory]))).toEqual({ kind: "unlockable" })
    expect(readFileSync(victim, "utf8")).toBe("precious")
  })

  test("is created in the first writable directory", () => {
    expect(lockDevice(device({ pci: "0000:03:00.0" }), lockIn(["/nowhere", directory])).kind).toBe("locked")
    expect(lockDevice(DEVICE, lockIn(["/nowhere"]))).toEqual({ kind: "unlockable" })
  })

  test("is searched first in the directory that all users share", () => {
    expect(lockDirectories({ RUNTIME_DIRECTORY: "/run/a:/run/b" })).toEqual(["/run/lock", "/run/a", tmpdir()])
  })
})
