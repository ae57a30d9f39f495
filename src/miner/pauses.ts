/** Why a miner may be paused; bounded, for a metric's label. */
export const PAUSE_REASONS = ["operator", "schedule", "battery", "active", "temperature"] as const

export type PauseReason = (typeof PAUSE_REASONS)[number]

/** The reasons for a pause. They add up: mining resumes when the last one is gone. */
export class Pauses {
  readonly #reasons = new Set<PauseReason>()
  readonly #changed: (paused: boolean) => void

  /** @param changed called when the first reason comes and when the last one goes */
  constructor(changed: (paused: boolean) => void) {
    this.#changed = changed
  }

  get reasons(): readonly PauseReason[] {
    return PAUSE_REASONS.filter(reason => this.#reasons.has(reason))
  }

  /** @returns whether this changed anything */
  set(reason: PauseReason, paused: boolean): boolean {
    if (this.#reasons.has(reason) === paused) return false
    const before = this.#reasons.size
    if (paused) this.#reasons.add(reason)
    else this.#reasons.delete(reason)
    if ((before === 0) !== (this.#reasons.size === 0)) this.#changed(paused)
    return true
  }
}
