import type { Unit } from "../engines/engine.ts"

/**
 * Returns a function that reports whether the units have hashed since its last call, or have been without work.
 * @param units the current units of all engines
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
