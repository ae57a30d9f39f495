import { describe, expect, test } from "bun:test"
import { readCpuInfo } from "../../../src/host/windows/cpu-info.ts"
import { windows } from "../../../src/host/windows/windows.ts"

test("state and the node's files are in the user's local application data", () => {
  const env = { LOCALAPPDATA: "C:\\Users\\a\\AppData\\Local", USERPROFILE: "D:\\a", HOME: "/h" }
  expect(windows.stateDirectory(env)).toBe("C:\\Users\\a\\AppData\\Local\\quantus-miner")
  expect(windows.nodeDirectory(env)).toBe("C:\\Users\\a\\AppData\\Local\\quantus-node\\data")
  expect(windows.stateDirectory({ USERPROFILE: "C:\\Users\\a" })).toBe("C:\\Users\\a\\AppData\\Local\\quantus-miner")
  expect(windows.stateDirectory({ ...env, XDG_STATE_HOME: "E:\\state" })).toBe("E:\\state\\quantus-miner")
  expect(windows.stateDirectory({})).toBeUndefined()
  expect(windows.nodeDirectory({})).toBeUndefined()
})

test("modes of files are not a statement about access", () => expect(windows.hasFileModes).toBe(false))

test("the CPU is identified by the registry", () => {
  const texts: Record<string, string> = { ProcessorNameString: "A CPU", VendorIdentifier: "AuthenticAMD" }
  const info = (revision: number[] | undefined) =>
    readCpuInfo(
      (_, name) => texts[name],
      () => revision && Buffer.from(revision),
    )
  expect(info([0, 0, 0, 0, 0xd5, 0x11, 0x00, 0x0a])).toEqual({
    model: "A CPU",
    vendor: "AuthenticAMD",
    microcode: "0xa0011d5",
  })
  expect(info([0xd5, 0x11, 0x00, 0x0a]).microcode).toBe("0xa0011d5")
  expect(info([1]).microcode).toBeUndefined()
  expect(info(undefined).microcode).toBeUndefined()
})

describe.skipIf(process.platform !== "win32")("on Windows", () => {
  test("sleeps of a millisecond take a few at most", () => {
    expect(windows.refineTimers()).toBe(true)
    const shortest = Math.min(
      ...Array.from({ length: 20 }, () => {
        const from = performance.now()
        Bun.sleepSync(1)
        return performance.now() - from
      }),
    )
    expect(shortest).toBeLessThan(10)
  })

  test("a library that is absent is reported as such", () => {
    expect(() => windows.openLibrary("nvcuda-absent.dll", {})).toThrow("nvcuda-absent.dll could not be found")
  })

  test("the registry names the CPU", async () => {
    const { model, vendor } = await windows.cpuInfo()
    expect(model).toBeString()
    expect(vendor).toBeString()
  })

  test("the runtime ends a busy child of a process that is killed", async () => {
    const busy = `console.log(process.pid); for (const end = Date.now() + 60_000; Date.now() < end; );`
    const parent = `
      const child = Bun.spawn([process.execPath, "-e", ${JSON.stringify(busy)}], { stdout: "pipe" })
      const { value } = await child.stdout.getReader().read()
      require("node:fs").writeSync(1, value)
      process.kill(process.pid, "SIGKILL")`
    const { stdout } = Bun.spawnSync([process.execPath, "-e", parent])
    const child = Number(stdout.toString().trim())
    expect(child).toBeGreaterThan(0)
    const isAlive = () => {
      try {
        return process.kill(child, 0)
      } catch {
        return false
      }
    }
    for (const end = performance.now() + 3000; isAlive() && performance.now() < end; ) await Bun.sleep(20)
    expect(isAlive()).toBe(false)
  })

  test("a second process does not get a lock while the first one has it", () => {
    const name = `quantus-miner-test-${process.pid}`
    const other = () => {
      const file = `${import.meta.dir}/../../../src/host/windows/mutex.ts`
      const script = `console.log((await import(${JSON.stringify(file)})).lockMutex(${JSON.stringify(name)}).kind)`
      return Bun.spawnSync([process.execPath, "-e", script]).stdout.toString().trim()
    }
    const locked = windows.lock(name, {})
    expect(locked.kind).toBe("locked")
    expect(other()).toBe("taken")
    if (locked.kind === "locked") locked.lock.release()
    expect(other()).toBe("locked")
  })
})
