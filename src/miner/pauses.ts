/** Reasons for pausing; a bounded set, because it is a metric's label. */
export const PAUSE_REASONS = ["operator", "http", "signal", "schedule", "battery", "active", "temperature"] as const

export type PauseReason = (typeof PAUSE_REASONS)[number]

/** The active reasons for pausing. Mining resumes when the last one is cleared. */
export class Pauses {
  readonly #reasons = new Set<PauseReason>()
  readonly #changed: (paused: boolean) => void

  /** @param changed called when the first reason is set and when the last one is cleared */
  constructor(changed: (paused: boolean) => void) {
    this.#changed = changed
  }

  get reasons(): readonly PauseReason[] {
    return PAUSE_REASONS.filter(reason => this.#reasons.has(reason))
  }

  /** @returns whether the reason changed */
  set(reason: PauseReason, paused: boolean): boolean {
    if (this.#reasons.has(reason) === paused) return false
    const before = this.#reasons.size
    if (paused) this.#reasons.add(reason)
    else this.#reasons.delete(reason)
    if ((before === 0) !== (this.#reasons.size === 0)) this.#changed(paused)
    return true
  }
}
