import type { Unit } from "../engines/engine.ts"

/**
 * Tells, each time it is asked, whether units have hashed since it was asked before, or rightly had nothing to do.
 * @param units those of all engines at that moment
 */
export function progressOf(units: () => readonly Unit[]): () => boolean {
  let before = -1n
  return () => {
    const now = units()
    const hashes = now.reduce((sum, unit) => sum + unit.hashes, 0n)
    const moved = hashes !== before
    before = hashes
    return moved || now.every(unit => unit.sequence === 0)
  }
}
