/** Whether this program runs as a built executable rather than from its sources. On Windows the URL encodes the tilde. */
export const inExecutable = /\$bunfs|(~|%7E)BUN/.test(import.meta.url)

/**
 * Locates the entry module of a worker: in its room beside this file or, in a built executable, under the root of the
 * bundle, which is the directory of `main.ts`.
 */
export const workerEntry = (room: "engines/cpu" | "engines/gpu" | "host/nvml"): string | URL =>
  inExecutable ? `./${room}/worker.ts` : new URL(`./${room}/worker.ts`, import.meta.url)
