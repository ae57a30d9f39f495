/** Logger interface of all rooms. `observe/log.ts` implements it with consola; tests collect the calls. */
export interface Log {
  debug(message: string): void
  info(message: string): void
  success(message: string): void
  warn(message: string): void
  error(message: string): void
  /** A logger whose lines carry this tag: `net`, `cpu`, `gpu`, `job`, `http`. */
  withTag(tag: string): Log
}
