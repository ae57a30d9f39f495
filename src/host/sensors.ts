/** Sensor readings of GPUs while they work, by PCI address. */
import type { Clock } from "../clock.ts"
import { host } from "./host.ts"
import { nvmlThread } from "./nvml/thread.ts"
import type { SensorReading, SensorSource } from "./sensor-source.ts"

export interface SensorWatch {
  /** The latest reading. */
  of(pci: string): SensorReading | undefined
  stop(): void
}

const READ_EVERY_MS = 5000

/** The host's sources. */
export const sensorSources = (clock: Clock): SensorSource[] => [nvmlThread(clock), ...host.sensors()]

/** Reads the devices' sensors now and then every five seconds. */
export function watchSensors(pcis: readonly string[], sources: readonly SensorSource[], clock: Clock): SensorWatch {
  const readings = new Map<string, SensorReading>()
  let reading = false
  const readAll = async () => {
    if (reading) return
    reading = true
    for (const pci of pcis) {
      const latest = await firstOf(sources, pci)
      if (latest) readings.set(pci, latest)
      else readings.delete(pci)
    }
    reading = false
  }
  void readAll()
  const cancel = clock.every(READ_EVERY_MS, () => void readAll())
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
