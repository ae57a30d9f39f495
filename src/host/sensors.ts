/** What a GPU tells of itself while it works, by its PCI address. */
import type { Clock } from "../clock.ts"
import { nvmlThread } from "./nvml/thread.ts"
import type { SensorReading, SensorSource } from "./sensor-source.ts"
import { amdgpuSensors } from "./sensors-amdgpu.ts"

export interface SensorWatch {
  /** The last reading. */
  of(pci: string): SensorReading | undefined
  stop(): void
}

const EVERY = 5000

/** The sources of this machine. @param root where /sys is */
export const sensorSources = (clock: Clock, root = "/"): SensorSource[] => [nvmlThread(clock), amdgpuSensors(root)]

/** Reads the devices' sensors every five seconds, the first time at once. */
export function watchSensors(pcis: readonly string[], sources: readonly SensorSource[], clock: Clock): SensorWatch {
  const readings = new Map<string, SensorReading>()
  let reading = false
  const readAll = async () => {
    if (reading) return
    reading = true
    for (const pci of pcis) {
      const told = await firstOf(sources, pci)
      if (told) readings.set(pci, told)
      else readings.delete(pci)
    }
    reading = false
  }
  void readAll()
  const cancel = clock.every(EVERY, () => void readAll())
  return {
    of: pci => readings.get(pci),
    stop() {
      cancel()
      for (const source of sources) source.close()
    },
  }
}

async function firstOf(sources: readonly SensorSource[], pci: string): Promise<SensorReading | undefined> {
  for (const source of sources) {
    const reading = await source.read(pci)
    if (reading) return reading
  }
  return undefined
}
