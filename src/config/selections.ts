/** Parsers of options that select CPUs, GPUs, an engine or times. Whether these exist is checked when they are opened. */
import type { DeviceSelection } from "../engines/gpu/select-devices.ts"
import { parseCpulist } from "../host/cpulist.ts"
import type { CpuAffinity } from "../host/worker-affinity.ts"
import { parseSchedule, type Schedule } from "../pausing/schedule.ts"
import { type Parser, refuse } from "./parse.ts"

const PCI_ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i
const SMALL = /^\d{1,3}$/

export const cpuAffinity: Parser<CpuAffinity> = {
  kind: "text",
  parse(value) {
    if (value === "auto" || value === "none") return value
    const list = parseCpulist(value)
    return list.kind === "cpus" ? list.cpus : refuse("auto, none or a list of CPUs such as 0-3,8")
  },
}

export const gpuSelection: Parser<DeviceSelection> = {
  // In a file, a count may be a number; everything else is a string.
  kind: "number",
  parse(value) {
    if (value === "all") return { kind: "all" }
    if (SMALL.test(value)) return { kind: "count", count: Number(value) }
    const parts = value.replace(/,$/, "").split(",")
    return { kind: "list", devices: parts.map(part => device(part.trim())) }
  },
}

/** One value for all GPUs, or a list with one entry per GPU in use; undefined leaves a GPU as it is. */
export type GpuValues = number | readonly (number | undefined)[]

/** @param max of a value; the GPU's own range is checked when it is set */
export const gpuValues = (max: number): Parser<GpuValues> => ({
  kind: "number",
  parse(text) {
    const values = text.split(",").map(part => {
      const entry = part.trim()
      if (entry === "-" && text.includes(",")) return undefined
      const value = Number(entry)
      return /^[1-9]\d{0,5}$/.test(entry) && value <= max
        ? value
        : refuse(`a whole number from 1 to ${max}, or a list of them and of - such as 250,-,180`)
    })
    return values.length === 1 ? values[0]! : values
  },
})

/** Weekly windows of local time. */
export const schedule: Parser<Schedule> = {
  kind: "text",
  parse(value) {
    try {
      return parseSchedule(value)
    } catch (error) {
      return refuse(`windows such as "Mon-Fri 19:00-07:00; Sat,Sun 00:00-24:00" (${(error as Error).message})`)
    }
  },
}

export const engineName: Parser<string> = {
  kind: "text",
  parse: value => (/^[a-z][a-z0-9-]{0,31}$/.test(value) ? value : refuse("auto or an engine's name such as wasm")),
}

function device(text: string): number | string {
  if (SMALL.test(text)) return Number(text)
  const [, domain = "0000", rest] = PCI_ADDRESS.exec(text) ?? []
  return rest === undefined
    ? refuse("a count, all, or a list of indexes or PCI addresses such as 0,2 or 0000:01:00.0")
    : `${domain.slice(-4)}:${rest}`.toLowerCase()
}
