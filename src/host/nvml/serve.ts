/** The NVML thread: answers one question after another; each may take minutes. */
import type { SensorReading, SensorSource } from "../sensor-source.ts"
import { nvmlSensors } from "./sensors.ts"

/** A PCI address. */
export type NvmlQuestion = string

export type NvmlReport =
  | { readonly kind: "reading"; readonly pci: string; readonly reading: SensorReading | undefined }
  /** NVML is absent. */
  | { readonly kind: "none" }

declare const self: Worker

/** @param sensors tests may replace it */
export function serveNvml(sensors: SensorSource | undefined = nvmlSensors()): void {
  const report = (message: NvmlReport) => self.postMessage(message)
  if (!sensors) {
    report({ kind: "none" })
    return
  }
  self.onmessage = async ({ data: pci }: MessageEvent<NvmlQuestion>) =>
    report({ kind: "reading", pci, reading: await sensors.read(pci) })
}
