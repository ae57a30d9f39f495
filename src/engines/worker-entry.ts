/**
 * Where the module of a kind of worker is: beside this one, or, in a built executable, at its own place under the
 * bundle's root, which is the directory of `main.ts`.
 */
const inExecutable = /\$bunfs|~BUN/.test(import.meta.url)

export const workerEntry = (kind: "cpu" | "gpu"): string | URL =>
  inExecutable ? `./engines/${kind}/worker.ts` : new URL(`./${kind}/worker.ts`, import.meta.url)
