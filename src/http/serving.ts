import type { Clock } from "../clock.ts"
import type { Log } from "../log.ts"
import { type HttpServer, listenProblem, openServer, type ServerOptions } from "./server.ts"

export interface Serving {
  /** The port it listens on; undefined while the port is unavailable. */
  readonly port: number | undefined
  /** Closes the server and opens it again, with the current options. */
  reopen(): Promise<void>
  /** Stops serving. Settles when the port is free. */
  close(): Promise<void>
}

const RETRY_AFTER_MS = 30_000

/**
 * Serves until closed. If the port is unavailable, the error is logged and the port is tried again every 30 s.
 * @param options called before every attempt
 * @param opened called when the server listens
 */
export function keepServing(
  options: () => ServerOptions,
  clock: Clock,
  log: Log,
  opened: (port: number) => void,
): Serving {
  let server: HttpServer | undefined
  let cancelRetry = () => {}

  function open(): void {
    const current = options()
    try {
      server = openServer(current)
    } catch (error) {
      const where = `${current.host} port ${current.port}`
      log.error(`cannot serve on ${where}: ${listenProblem(error)}; mining continues, next attempt in 30 s`)
      cancelRetry = clock.after(RETRY_AFTER_MS, open)
      return
    }
    opened(server.port)
  }

  async function close(): Promise<void> {
    cancelRetry()
    const before = server
    server = undefined
    await before?.close()
  }

  open()
  return {
    get port() {
      return server?.port
    },
    async reopen() {
      await close()
      open()
    },
    close,
  }
}
