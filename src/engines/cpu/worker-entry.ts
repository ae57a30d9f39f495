/**
 * Where the worker's module is: beside this one, or, in a built executable, at its own place under the bundle's root,
 * which is the directory of `main.ts`.
 */
const inExecutable = /\$bunfs|~BUN/.test(import.meta.url)

export const WORKER_ENTRY: string | URL = inExecutable
  ? "./engines/cpu/worker.ts"
  : new URL("./worker.ts", import.meta.url)
