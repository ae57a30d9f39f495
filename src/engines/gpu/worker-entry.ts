/** Where the worker's module is: beside this one, or, in a built executable, at its own place under the bundle's root. */
const inExecutable = /\$bunfs|~BUN/.test(import.meta.url)

export const GPU_WORKER_ENTRY: string | URL = inExecutable
  ? "./engines/gpu/worker.ts"
  : new URL("./worker.ts", import.meta.url)
