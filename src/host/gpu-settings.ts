/** Settings of a GPU that trade speed for power, as a driver's library or files of the system offer them. */

export const GPU_SETTINGS = ["powerLimit", "coreClock", "memoryClock"] as const

export type GpuSetting = (typeof GPU_SETTINGS)[number]

/** One setting of one GPU. States are texts that only the knob understands; equal texts are equal states. */
export interface Knob {
  /** Values that the GPU takes, inclusive, in watts or megahertz. */
  readonly min: number
  readonly max: number
  /** The present state; undefined if the system does not report it. */
  read(): string | undefined
  /** The state in which nobody has set anything, where `read` reports none. */
  readonly unset: string
  /** The state with a value. */
  stateOf(value: number): string
  /** @throws RefusedSetting */
  write(state: string): void
}

export interface GpuKnobs {
  /** @param pci `0000:01:00.0` @returns undefined if the GPU is not known or has no such setting */
  knob(pci: string, setting: GpuSetting): Knob | undefined
}

/** The system does not let this process change the setting; the message says why. */
export class RefusedSetting extends Error {
  override readonly name = "RefusedSetting"
}
