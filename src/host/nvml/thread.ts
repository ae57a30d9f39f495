/**
 * NVML in a dedicated thread. Its calls take milliseconds, but minutes on a card whose firmware hangs: jobs and seals
 * must not wait for it. Until such a call returns, the other cards have no readings either.
 */
import type { Clock } from "../../clock.ts"
import { workerEntry } from "../../worker-entry.ts"
import type { SensorReading, SensorSource } from "../sensor-source.ts"
import type { NvmlQuestion, NvmlReport } from "./serve.ts"

/** Limit for one answer. */
const ANSWER_WITHIN_MS = 2000

/** @param entry a module that calls `serveNvml`; tests may replace it */
export const nvmlThread = (clock: Clock, entry: string | URL = workerEntry("host/nvml")): SensorSource =>
  new NvmlThread(clock, entry)

class NvmlThread implements SensorSource {
  readonly #clock: Clock
  /** Undefined if NVML is absent. */
  #worker: Worker | undefined
  /** The pending question; the next one is asked after its answer. */
  #asked: { readonly pci: string; readonly settle: (reading: SensorReading | undefined) => void } | undefined

  constructor(clock: Clock, entry: string | URL) {
    this.#clock = clock
    this.#worker = new Worker(entry)
    this.#worker.unref()
    this.#worker.onmessage = ({ data }: MessageEvent<NvmlReport>) => {
      if (data.kind === "none") this.close()
      else this.#settle(data.reading)
    }
    this.#worker.onerror = event => {
      event.preventDefault()
      this.close()
    }
  }

  async read(pci: string): Promise<SensorReading | undefined> {
    if (!this.#worker || this.#asked) return undefined
    const { promise, resolve } = Promise.withResolvers<SensorReading | undefined>()
    this.#asked = { pci, settle: resolve }
    this.#worker.postMessage(pci satisfies NvmlQuestion)
    const cancel = this.#clock.after(ANSWER_WITHIN_MS, () => resolve(undefined))
    const reading = await promise
    cancel()
    return reading
  }

  close(): void {
    this.#worker?.terminate()
    this.#worker = undefined
    this.#settle(undefined)
  }

  #settle(reading: SensorReading | undefined): void {
    this.#asked?.settle(reading)
    this.#asked = undefined
  }
}
