import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { cpuTemperature } from "../../../src/host/linux/cpu-temperature.ts"
import { idleSecondsIn } from "../../../src/host/linux/logind.ts"
import { isOnBattery } from "../../../src/host/linux/power-supply.ts"
import { hasPackageEnergy, packageEnergy } from "../../../src/host/linux/powercap.ts"

const directory = mkdtempSync(join(tmpdir(), "quantus-miner-sysfs-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let trees = 0

/** A file-system root with these files under `sys/class`. */
function tree(files: Record<string, string>): string {
  const root = join(directory, String(trees++))
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, "sys/class", path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${text}\n`)
  }
  return root
}

describe("power supplies", () => {
  const battery = (status: string) => ({
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/status": status,
  })
  const mains = (online: string) => ({ "power_supply/AC/type": "Mains", "power_supply/AC/online": online })

  test.each([
    ["no supply", {}, undefined],
    ["mains only", mains("1"), undefined],
    ["a charging laptop", { ...mains("1"), ...battery("Charging") }, false],
    ["a laptop at its charge limit", { ...mains("1"), ...battery("Not charging") }, false],
    ["an unplugged laptop", { ...mains("0"), ...battery("Discharging") }, true],
    ["a laptop that reports no mains, discharging", battery("Discharging"), true],
    ["a laptop that reports no mains, full", battery("Full"), false],
    ["a mouse's battery", { ...battery("Discharging"), "power_supply/BAT0/scope": "Device" }, undefined],
    [
      "a USB-C charger",
      { ...mains("0"), ...battery("Charging"), "power_supply/ucsi/type": "USB", "power_supply/ucsi/online": "1" },
      false,
    ],
  ])("%s", (_, files, expected) => {
    expect(isOnBattery(tree(files as Record<string, string>))).toBe(expected)
  })
})

describe("CPU temperature", () => {
  test("is the highest of the CPU's own sensors", () => {
    const root = tree({
      "hwmon/hwmon0/name": "nvme",
      "hwmon/hwmon0/temp1_input": "99000",
      "hwmon/hwmon1/name": "coretemp",
      "hwmon/hwmon1/temp1_input": "61000",
      "hwmon/hwmon1/temp2_input": "64500",
      "hwmon/hwmon1/temp2_max": "100000",
    })
    expect(cpuTemperature(root)).toBe(64.5)
  })

  test("is undefined without a readable or plausible sensor", () => {
    expect(cpuTemperature(tree({}))).toBeUndefined()
    expect(cpuTemperature(tree({ "hwmon/hwmon0/name": "k10temp" }))).toBeUndefined()
    const broken = tree({ "hwmon/hwmon0/name": "k10temp", "hwmon/hwmon0/temp1_input": "-273000" })
    expect(cpuTemperature(broken)).toBeUndefined()
  })
})

test("logind's answer is the time since its idle hint", () => {
  expect(idleSecondsIn("b true\nt 1700000000000000\n", 1_700_000_090_000)).toBe(90)
  expect(idleSecondsIn("b false\nt 0\n", 1_700_000_090_000)).toBe(0)
  expect(idleSecondsIn("", 0)).toBeUndefined()
})

describe("energy counters", () => {
  const zone = (name: string, label: string, energy?: string) => ({
    [`powercap/${name}/name`]: label,
    [`powercap/${name}/max_energy_range_uj`]: "262143328850",
    ...(energy !== undefined && { [`powercap/${name}/energy_uj`]: energy }),
  })

  test("are those of packages, without their parts and the platform", () => {
    const root = tree({
      ...zone("intel-rapl:0", "package-0", "1000"),
      ...zone("intel-rapl:0:0", "core", "400"),
      ...zone("intel-rapl:1", "package-1", "2000"),
      ...zone("intel-rapl:2", "psys", "9000"),
    })
    expect(packageEnergy(root)).toEqual([
      { microjoules: 1000, range: 262143328850 },
      { microjoules: 2000, range: 262143328850 },
    ])
  })

  test("are absent if one cannot be read, for a part of the power would look like all of it", () => {
    const root = tree({ ...zone("intel-rapl:0", "package-0", "1000"), ...zone("intel-rapl:1", "package-1") })
    expect(packageEnergy(root)).toEqual([])
    expect(hasPackageEnergy(root)).toBe(true)
    expect(hasPackageEnergy(tree({}))).toBe(false)
  })
})
