/** `devices`: lists the GPUs of this machine with their hash rates. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { DeviceError } from "../engines/gpu/compute.ts"
import type { GpuDevice } from "../engines/gpu/device.ts"
import { lockDevice } from "../engines/gpu/device-lock.ts"
import { findDevicesApart, type Tuned, tuneApart } from "../engines/gpu/driver-process.ts"
import { UnsupportedDevice } from "../engines/gpu/library.ts"
import { selectDevices } from "../engines/gpu/select-devices.ts"
import { loadTuning, saveTuning } from "../engines/gpu/stored-tuning.ts"
import { measure, openStart, type Start, WrongDevice } from "../engines/gpu/tuning.ts"
import { formatRate } from "../observe/units.ts"
import { version } from "../version.ts"
import { aligned } from "./aligned.ts"

const HEAD = ["GPU", "Engine", "Name", "Memory", "PCI address", "Driver", "Rate"]
const BYTES_PER_GIB = 2 ** 30

export async function run({ settings, stateDir }: Config<"devices">): Promise<void> {
  const { devices, missing } = await findDevicesApart({ clock })
  if (devices.length === 0 && !settings.json) {
    console.log(`no usable GPU: ${missing.join("; ")}`)
    return
  }
  const mined = new Set(
    devices.length === 0 ? [] : selectDevices(devices, settings.gpuDevices, settings.allowIntegrated),
  )
  const rows: Row[] = []
  for (const [index, found] of devices.entries()) {
    const outcome: Outcome = mined.has(found) ? await rateOf(found.device, stateDir) : { problem: "not selected" }
    rows.push({ index, device: found.device, outcome })
  }
  if (settings.json) console.log(JSON.stringify({ devices: rows.map(entryOf), missing }))
  else console.log(aligned([HEAD, ...rows.map(cellsOf)]))
}

/** A hash rate, or why it is missing. */
type Outcome = { readonly hashesPerSecond: number } | { readonly problem: string }

interface Row {
  readonly index: number
  readonly device: GpuDevice
  readonly outcome: Outcome
}

function cellsOf({ index, device, outcome }: Row): string[] {
  const { api, name, memory, pci = "unknown", driver } = device
  const rate = "problem" in outcome ? outcome.problem : formatRate(outcome.hashesPerSecond)
  return [String(index), api, name, `${(memory / BYTES_PER_GIB).toFixed(1)} GiB`, pci, driver, rate]
}

/** The JSON object of a GPU; either `hashes_per_second` or `problem` is null. */
function entryOf({ index, device, outcome }: Row): object {
  const { api, name, memory, pci = null, driver } = device
  const [rate, problem] = "problem" in outcome ? [null, outcome.problem] : [outcome.hashesPerSecond, null]
  const identity = { index, engine: api, name, memory_bytes: memory, pci_address: pci, driver }
  return { ...identity, hashes_per_second: rate, problem }
}

/** Skips a GPU that another process mines on, because each would get half of the rate. */
async function rateOf(device: GpuDevice, stateDir: string | undefined): Promise<Outcome> {
  const locked = lockDevice(device)
  if (locked.kind === "taken") return { problem: `used by process ${locked.process}` }
  try {
    const start = await startOf(device, stateDir)
    return start.kind === "unusable" ? { problem: start.why } : measured(device, start)
  } finally {
    if (locked.kind === "locked") locked.lock.release()
  }
}

async function startOf(device: GpuDevice, stateDir: string | undefined): Promise<Tuned> {
  const stored = loadTuning(device, { stateDir, version })
  if (stored) return { kind: "tuned", tuning: stored }
  const tuned = await tuneApart(device, { clock })
  if (tuned.kind === "tuned") saveTuning(device, { stateDir, version }, tuned.tuning)
  return tuned
}

function measured(device: GpuDevice, start: Start): Outcome {
  const now = () => performance.now()
  try {
    const { search } = openStart(device, start, { now })
    try {
      return { hashesPerSecond: measure(search, now) }
    } finally {
      search.close()
    }
  } catch (error) {
    if (error instanceof WrongDevice) return { problem: `computes wrong hashes: ${error.message}` }
    if (error instanceof DeviceError || error instanceof UnsupportedDevice) {
      return { problem: `cannot be used: ${error.message}` }
    }
    throw error
  }
}
