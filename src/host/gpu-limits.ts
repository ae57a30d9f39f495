/**
 * Sets power limit and clocks of GPUs while the miner runs. The state before each change is stored first, so that a
 * crash leaves nothing behind: the next start restores it. A state that is no longer ours was set by another program and
 * is respected.
 */
import { join } from "node:path"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Log } from "../log.ts"
import { GPU_SETTINGS, type GpuKnobs, type GpuSetting, type Knob, RefusedSetting } from "./gpu-settings.ts"
import { loadState, removeState, saveState } from "./state-file.ts"

export type WantedSettings = { readonly [Setting in GpuSetting]?: number | undefined }

interface Change {
  readonly setting: GpuSetting
  readonly before: string
  readonly ours: string
}

export interface GpuLimitsOptions {
  /** Opens the host's settings of GPUs, when the first is needed. */
  readonly knobs: () => readonly GpuKnobs[]
  /** Directory of the stored states; undefined: only a regular exit restores. */
  readonly stateDir: string | undefined
  readonly log: Log
}

const OPTIONS: Readonly<Record<GpuSetting, { readonly flag: string; readonly unit: string }>> = {
  powerLimit: { flag: "--gpu-power-limit", unit: "W" },
  coreClock: { flag: "--gpu-core-clock", unit: "MHz" },
  memoryClock: { flag: "--gpu-memory-clock", unit: "MHz" },
}

export class GpuLimits {
  readonly #options: GpuLimitsOptions
  #knobs: readonly GpuKnobs[] | undefined
  /** Changes in order, by PCI address. */
  readonly #changes = new Map<string, Change[]>()

  constructor(options: GpuLimitsOptions) {
    this.#options = options
  }

  /** Restores what a process that ended without doing so had changed. @param name of the GPU, for the log */
  restoreLeft(pci: string, name: string): void {
    const path = this.#path(pci)
    if (path === undefined) return
    const left = loadState({ path, field: "changes", key: { pci }, isValue: isChanges })
    if (left.kind === "valid") this.#restore(pci, name, left.value)
    if (left.kind !== "absent") removeState(path)
  }

  /**
   * Applies settings to a GPU. One that the system does not permit is a warning.
   * @throws OperatorError (config) for a value outside the GPU's range; nothing is changed then
   */
  apply(pci: string, name: string, wanted: WantedSettings): void {
    const settings = GPU_SETTINGS.filter(setting => wanted[setting] !== undefined)
    const knobs = new Map(settings.map(setting => [setting, this.#knob(pci, setting)]))
    for (const setting of settings) checkRange(setting, name, wanted[setting]!, knobs.get(setting))
    for (const setting of settings) this.#set(pci, name, setting, wanted[setting]!, knobs.get(setting))
  }

  /** Restores every GPU. */
  restore(nameOf: (pci: string) => string): void {
    for (const [pci, changes] of this.#changes) {
      this.#restore(pci, nameOf(pci), changes)
      const path = this.#path(pci)
      if (path !== undefined) removeState(path)
    }
    this.#changes.clear()
  }

  #set(pci: string, name: string, setting: GpuSetting, value: number, knob: Knob | undefined): void {
    const { log } = this.#options
    const { flag, unit } = OPTIONS[setting]
    if (!knob) {
      log.warn(`${flag}: the driver does not offer this for ${name}; it keeps its setting`)
      return
    }
    const change: Change = { setting, before: knob.read() ?? knob.unset, ours: knob.stateOf(value) }
    const before = this.#changes.get(pci) ?? []
    this.#save(pci, [...before, change])
    try {
      knob.write(change.ours)
      log.info(`${name}: ${flag.slice(6).replace("-", " ")} ${value} ${unit}, restored at exit`)
    } catch (error) {
      if (!(error instanceof RefusedSetting)) throw error
      this.#save(pci, before)
      log.warn(`${flag} ${value} is refused for ${name}: ${error.message}; it keeps its setting`)
    }
  }

  #save(pci: string, changes: Change[]): void {
    this.#changes.set(pci, changes)
    const path = this.#path(pci)
    if (path === undefined) return
    try {
      saveState(path, "changes", { pci }, changes)
    } catch (error) {
      this.#options.log.warn(`a crash would leave the settings of ${pci}: ${(error as Error).message}`)
    }
  }

  /** Undoes changes, the last one first. */
  #restore(pci: string, name: string, changes: readonly Change[]): void {
    const { log } = this.#options
    for (const { setting, before, ours } of changes.toReversed()) {
      const { flag } = OPTIONS[setting]
      const knob = this.#knob(pci, setting)
      const now = knob?.read()
      try {
        if (now === undefined || now === ours) knob?.write(before)
        else if (now !== before) log.info(`${name}: ${flag} is not restored: another program has changed it`)
      } catch (error) {
        if (!(error instanceof RefusedSetting)) throw error
        log.warn(`${name}: ${flag} could not be restored: ${error.message}`)
      }
    }
  }

  #knob(pci: string, setting: GpuSetting): Knob | undefined {
    this.#knobs ??= this.#options.knobs()
    for (const knobs of this.#knobs) {
      const knob = knobs.knob(pci, setting)
      if (knob) return knob
    }
    return undefined
  }

  #path(pci: string): string | undefined {
    const { stateDir } = this.#options
    return stateDir === undefined ? undefined : join(stateDir, `gpu-settings-${pci.replace(/[^\w.-]/g, "_")}.json`)
  }
}

function checkRange(setting: GpuSetting, name: string, value: number, knob: Knob | undefined): void {
  if (!knob || (value >= knob.min && value <= knob.max)) return
  const { flag, unit } = OPTIONS[setting]
  throw new OperatorError(
    `${flag} ${value} is outside the range of ${name}: ${knob.min} to ${knob.max} ${unit}`,
    ExitCode.config,
  )
}

function isChanges(value: unknown): value is Change[] {
  const isText = (text: unknown) => typeof text === "string"
  return (
    Array.isArray(value) &&
    value.every(({ setting, before, ours } = {}) => GPU_SETTINGS.includes(setting) && isText(before) && isText(ours))
  )
}
