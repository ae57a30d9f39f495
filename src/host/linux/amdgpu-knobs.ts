/** Power limit and clocks of AMD cards by the files of the `amdgpu` driver. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type GpuKnobs, type GpuSetting, type Knob, RefusedSetting } from "../gpu-settings.ts"

/** Access to the driver's files. */
export interface DriverFiles {
  /** A file's text without surrounding white space; undefined if it is absent or unreadable. */
  read(path: string): string | undefined
  /** @throws Node's error */
  write(path: string, text: string): void
}

/**
 * @param root the directory that contains `sys`: `/` outside tests
 * @param files tests may replace it, since the driver answers writes to its tables
 */
export function amdgpuKnobs(root: string, files: DriverFiles = { read, write: writeFileSync }): GpuKnobs {
  return {
    knob(pci, setting) {
      const device = join(root, "sys/bus/pci/devices", pci)
      return setting === "powerLimit" ? powerLimit(device, files) : clock(device, setting, files)
    },
  }
}

/** hwmon counts microwatts. */
function powerLimit(device: string, files: DriverFiles): Knob | undefined {
  const directory = hwmonOf(device)
  if (directory === undefined) return undefined
  const path = join(directory, "power1_cap")
  const [min, max] = ["power1_cap_min", "power1_cap_max"].map(name =>
    Number(files.read(join(directory, name)) ?? Number.NaN),
  )
  if (files.read(path) === undefined || Number.isNaN(min! + max!)) return undefined
  return {
    min: Math.ceil(min! / 1e6),
    max: Math.floor(max! / 1e6),
    unset: "",
    read: () => files.read(path),
    stateOf: watts => String(watts * 1e6),
    write: state => write(files, path, state),
  }
}

/** Line of the clock's highest state, its letter in commands, and its range in `pp_od_clk_voltage`. */
const CLOCKS = {
  coreClock: { section: "OD_SCLK", letter: "s", range: "SCLK" },
  memoryClock: { section: "OD_MCLK", letter: "m", range: "MCLK" },
} as const

/** A clock's state is the performance level, which must be `manual` for clocks to be set, and the highest clock in MHz. */
function clock(device: string, setting: Exclude<GpuSetting, "powerLimit">, files: DriverFiles): Knob | undefined {
  const { section, letter, range } = CLOCKS[setting]
  const [table, level] = [join(device, "pp_od_clk_voltage"), join(device, "power_dpm_force_performance_level")]
  const text = files.read(table) ?? ""
  const [, min, max] = new RegExp(`^${range}:\\s*(\\d+)Mhz\\s+(\\d+)Mhz`, "im").exec(text) ?? []
  if (min === undefined || max === undefined) return undefined
  const highest = () =>
    new RegExp(`^${section}:\\n(?:0:.*\\n)?1:\\s*(\\d+)Mhz`, "im").exec(files.read(table) ?? "")?.[1]
  return {
    min: Number(min),
    max: Number(max),
    unset: "",
    read() {
      const [mode, clock] = [files.read(level), highest()]
      return mode === undefined || clock === undefined ? undefined : `${mode} ${clock}`
    },
    stateOf: megahertz => `manual ${megahertz}`,
    write(state) {
      const [mode, clock] = state.split(" ") as [string, string]
      const before = files.read(level)
      write(files, level, "manual")
      try {
        write(files, table, `${letter} 1 ${clock}`)
        write(files, table, "c")
      } catch (error) {
        if (before !== undefined) write(files, level, before)
        throw error
      }
      if (mode !== "manual") write(files, level, mode)
    },
  }
}

function hwmonOf(device: string): string | undefined {
  const directory = join(device, "hwmon")
  try {
    const name = readdirSync(directory).find(entry => entry.startsWith("hwmon"))
    return name === undefined ? undefined : join(directory, name)
  } catch {
    return undefined
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return undefined
  }
}

function write(files: DriverFiles, path: string, text: string): void {
  try {
    files.write(path, `${text}\n`)
  } catch (error) {
    const { code } = error as { code?: string }
    const reason =
      code === "EACCES" || code === "EPERM" || code === "EROFS" ? "it needs root" : `the driver says ${code}`
    throw new RefusedSetting(reason)
  }
}
