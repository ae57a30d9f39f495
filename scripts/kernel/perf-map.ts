/** Names the generated code for `perf`, which reads `/tmp/perf-PID.map`. */
import type { Section } from "./listing.ts"

/**
 * @param address of the loaded code
 * @returns a line for each label that has instructions: address, size in bytes, name
 */
export const perfMapOf = (kernel: string, sections: readonly Section[], address: number): string =>
  sections
    .filter(({ bytes }) => bytes > 0)
    .map(({ label, at, bytes }) => `${(address + at).toString(16)} ${bytes.toString(16)} ${kernel}:${label}\n`)
    .join("")
