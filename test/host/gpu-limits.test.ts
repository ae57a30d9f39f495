import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GpuLimits } from "../../src/host/gpu-limits.ts"
import type { GpuKnobs } from "../../src/host/gpu-settings.ts"
import { amdgpuKnobs, type DriverFiles } from "../../src/host/linux/amdgpu-knobs.ts"
import { type NvmlKnobFunctions, nvmlKnobs } from "../../src/host/nvml/knobs.ts"
import { collectLog } from "../support/collect-log.ts"

const PCI = "0000:65:00.0"
const NAME = "Card A"
const FILE = "gpu-settings-0000_65_00.0.json"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gpu-limits-"))
})
afterEach(() => rmSync(root, { recursive: true }))

function limits(knobs: readonly GpuKnobs[]) {
  const log = collectLog()
  return { limits: new GpuLimits({ knobs: () => knobs, stateDir: join(root, "state"), log }), log }
}

describe("NVIDIA", () => {
  /** A management library that records what is set. */
  function recordingNvml({ permission = 0 } = {}) {
    const set: string[] = []
    const state = { power: 450_000 }
    const list = (values: readonly number[], count: unknown, into: unknown) => {
      ;(into as Uint32Array).set(values)
      ;(count as Uint32Array)[0] = values.length
      return 0
    }
    const record = (what: string) => {
      if (permission === 0) set.push(what)
      return permission
    }
    const table: { [Name in keyof NvmlKnobFunctions]: (...args: never[]) => number } = {
      nvmlInit_v2: () => 0,
      nvmlDeviceGetHandleByPciBusId_v2(pci: Uint8Array, into: BigUint64Array) {
        into[0] = 7n
        return new TextDecoder().decode(pci) === `${PCI}\0` ? 0 : 6
      },
      nvmlDeviceGetPowerManagementLimit(_device: bigint, into: Uint32Array) {
        into[0] = state.power
        return 0
      },
      nvmlDeviceGetPowerManagementLimitConstraints(_device: bigint, min: Uint32Array, max: Uint32Array) {
        min[0] = 100_000
        max[0] = 600_000
        return 0
      },
      nvmlDeviceSetPowerManagementLimit(_device: bigint, milliwatts: number) {
        const status = record(`power ${milliwatts}`)
        if (status === 0) state.power = milliwatts
        return status
      },
      nvmlDeviceGetSupportedMemoryClocks: (_device: bigint, count: Uint32Array, into: Uint32Array) =>
        list([10_501, 5001, 405], count, into),
      nvmlDeviceGetSupportedGraphicsClocks: (_device: bigint, memory: number, count: Uint32Array, into: Uint32Array) =>
        list(memory === 10_501 ? [3105, 210] : [210], count, into),
      nvmlDeviceSetGpuLockedClocks: (_device: bigint, min: number, max: number) => record(`core ${min} ${max}`),
      nvmlDeviceResetGpuLockedClocks: () => record("core free"),
      nvmlDeviceSetMemoryLockedClocks: (_device: bigint, min: number, max: number) => record(`memory ${min} ${max}`),
      nvmlDeviceResetMemoryLockedClocks: () => record("memory free"),
    }
    return { knobs: nvmlKnobs(table as unknown as NvmlKnobFunctions)!, set, state }
  }

  test("settings are applied and restored at exit, the last one first", () => {
    const nvml = recordingNvml()
    const { limits: one } = limits([nvml.knobs])
    one.apply(PCI, NAME, { powerLimit: 250, coreClock: 2100, memoryClock: 810 })
    expect(nvml.set).toEqual(["power 250000", "core 210 2100", "memory 405 810"])
    nvml.set.length = 0
    one.restore(() => NAME)
    expect(nvml.set).toEqual(["memory free", "core free", "power 450000"])
    expect(existsSync(join(root, "state", FILE))).toBe(false)
  })

  test.each([
    [{ powerLimit: 700 }, "--gpu-power-limit 700 is outside the range of Card A: 100 to 600 W"],
    [{ powerLimit: 250, coreClock: 100 }, "--gpu-core-clock 100 is outside the range of Card A: 210 to 3105 MHz"],
    [{ memoryClock: 20_000 }, "--gpu-memory-clock 20000 is outside the range of Card A: 405 to 10501 MHz"],
  ])("%j is refused with the range, and nothing is changed", (wanted, message) => {
    const nvml = recordingNvml()
    const { limits: one } = limits([nvml.knobs])
    expect(() => one.apply(PCI, NAME, wanted)).toThrow(expect.objectContaining({ message, exitCode: 78 }))
    expect(nvml.set).toEqual([])
  })

  test("a setting that is not permitted is a warning", () => {
    const { limits: one, log } = limits([recordingNvml({ permission: 4 }).knobs])
    one.apply(PCI, NAME, { powerLimit: 250 })
    expect(log.texts.join("\n")).toContain(
      "--gpu-power-limit 250 is refused for Card A: it needs root (on Windows, an administrator); it keeps its setting",
    )
  })

  test("a setting that the card does not have is a warning", () => {
    const { limits: one, log } = limits([recordingNvml().knobs])
    one.apply("0000:66:00.0", "Card B", { coreClock: 1500 })
    expect(log.texts.join("\n")).toContain("--gpu-core-clock: the driver does not offer this for Card B")
  })

  test("another program's change is respected at exit", () => {
    const nvml = recordingNvml()
    const { limits: one, log } = limits([nvml.knobs])
    one.apply(PCI, NAME, { powerLimit: 250 })
    nvml.state.power = 300_000
    one.restore(() => NAME)
    expect(nvml.state.power).toBe(300_000)
    expect(log.texts.join("\n")).toContain("--gpu-power-limit is not restored: another program has changed it")
  })
})

describe("AMD", () => {
  const device = () => join(root, "sys/bus/pci/devices", PCI)
  const cap = () => join(device(), "hwmon/hwmon3/power1_cap")

  function sysfs(): void {
    mkdirSync(join(device(), "hwmon/hwmon3"), { recursive: true })
    writeFileSync(cap(), "203000000\n")
    writeFileSync(`${cap()}_min`, "100000000\n")
    writeFileSync(`${cap()}_max`, "230000000\n")
  }

  const KILLED = `
import { GpuLimits } from ${JSON.stringify(join(import.meta.dir, "../../src/host/gpu-limits.ts"))}
import { amdgpuKnobs } from ${JSON.stringify(join(import.meta.dir, "../../src/host/linux/amdgpu-knobs.ts"))}
const log = { debug() {}, info() {}, success() {}, warn() {}, error() {}, withTag: () => log }
const [root, pci] = process.argv.slice(-2)
new GpuLimits({ knobs: () => [amdgpuKnobs(root)], stateDir: root + "/state", log }).apply(pci, "Card A", { powerLimit: 150 })
process.kill(process.pid, "SIGKILL")
`

  async function killedMiner(): Promise<void> {
    const script = join(root, "killed.ts")
    writeFileSync(script, KILLED)
    const child = Bun.spawn([process.execPath, script, root, PCI], { stderr: "inherit" })
    await child.exited
    expect(child.signalCode).toBe("SIGKILL")
    expect(readFileSync(cap(), "utf8").trim()).toBe("150000000")
  }

  test("the next start restores what a killed process left", async () => {
    sysfs()
    await killedMiner()
    const { limits: next } = limits([amdgpuKnobs(root)])
    next.restoreLeft(PCI, NAME)
    expect(readFileSync(cap(), "utf8").trim()).toBe("203000000")
    expect(existsSync(join(root, "state", FILE))).toBe(false)
  })

  test("the next start respects another program's change", async () => {
    sysfs()
    await killedMiner()
    writeFileSync(cap(), "180000000\n")
    const { limits: next } = limits([amdgpuKnobs(root)])
    next.restoreLeft(PCI, NAME)
    expect(readFileSync(cap(), "utf8").trim()).toBe("180000000")
  })

  test("a damaged file of changes is dropped", () => {
    sysfs()
    mkdirSync(join(root, "state"))
    writeFileSync(join(root, "state", FILE), "{")
    limits([amdgpuKnobs(root)]).limits.restoreLeft(PCI, NAME)
    expect(readFileSync(cap(), "utf8").trim()).toBe("203000000")
    expect(existsSync(join(root, "state", FILE))).toBe(false)
  })

  test("clocks are set in the driver's table at manual performance level, and both are restored", () => {
    const driver = { level: "auto", core: 2475, memory: 1000, pending: { core: 2475, memory: 1000 } }
    const commands: string[] = []
    const files: DriverFiles = {
      read(path) {
        if (path.endsWith("power_dpm_force_performance_level")) return driver.level
        if (!path.endsWith("pp_od_clk_voltage")) return undefined
        const { core, memory } = driver
        return `OD_SCLK:\n0: 500Mhz\n1: ${core}Mhz\nOD_MCLK:\n0: 97Mhz\n1: ${memory}MHz\nOD_RANGE:\nSCLK:     500Mhz       3000Mhz\nMCLK:     674Mhz       1075Mhz`
      },
      write(path, text) {
        commands.push(text.trim())
        if (path.endsWith("level")) driver.level = text.trim()
        else if (driver.level !== "manual") throw Object.assign(new Error(), { code: "EINVAL" })
        const [command, , value] = text.trim().split(" ")
        if (command === "s") driver.pending.core = Number(value)
        if (command === "m") driver.pending.memory = Number(value)
        if (command === "c") Object.assign(driver, driver.pending)
      },
    }
    const { limits: one, log } = limits([amdgpuKnobs("/", files)])
    one.apply(PCI, NAME, { coreClock: 2000, memoryClock: 700 })
    expect(driver).toMatchObject({ level: "manual", core: 2000, memory: 700 })
    one.restore(() => NAME)
    expect(driver).toMatchObject({ level: "auto", core: 2475, memory: 1000 })
    expect(log.texts.filter(line => line.startsWith("warn"))).toEqual([])
    expect(() => one.apply(PCI, NAME, { memoryClock: 300 })).toThrow("674 to 1075 MHz")
  })
})
