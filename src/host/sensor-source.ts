/** A source of GPU sensor readings: a driver's library, or files of the system. */

/** Values that the device does not report are undefined. */
export interface SensorReading {
  readonly temperatureCelsius?: number | undefined
  /** 0 … 100. */
  readonly fanPercent?: number | undefined
  readonly powerWatts?: number | undefined
  readonly clockHertz?: number | undefined
  readonly memoryClockHertz?: number | undefined
}

export interface SensorSource {
  /** @param pci `0000:01:00.0`; @returns undefined if the source does not know the device */
  read(pci: string): Promise<SensorReading | undefined>
  close(): void
}
