/** The TCP or TLS server of the development pool: connections that receive and send lines. */
import net from "node:net"
import tls from "node:tls"
import { ExitCode, OperatorError } from "../errors.ts"
import { LineReader, LineTooLong } from "../sources/stratum/lines.ts"

export interface PoolPeer {
  /** `ip:port` */
  readonly remote: string
  /** @param text whole lines, each with its newline */
  send(text: string): void
  /** Closes the connection after all data has been sent. */
  close(): void
}

export interface PoolPeerListener {
  line(text: string): void
  /** Once, last. */
  closed(): void
}

export interface PoolServerOptions {
  /** IP address to bind. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** Speaks TLS with these, PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

export interface PoolServer {
  readonly port: number
  close(): Promise<void>
}

/** A miner that reads so little that this many bytes wait for it is let go. */
const MAX_UNREAD_BYTES = 2 ** 20

/** @throws OperatorError if the address cannot be bound */
export async function listenForLines(
  { address, port, tls: identity }: PoolServerOptions,
  accept: (peer: PoolPeer) => PoolPeerListener,
): Promise<PoolServer> {
  const sockets = new Set<net.Socket>()
  const take = (socket: net.Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
    serve(socket, accept)
  }
  const server = identity
    ? tls.createServer({ cert: identity.certificate, key: identity.key }, take)
    : net.createServer(take)
  const listening = Promise.withResolvers<void>()
  server.once("error", listening.reject)
  server.listen(port, address, () => listening.resolve())
  try {
    await listening.promise
  } catch (error) {
    throw new OperatorError(
      `cannot listen on ${address} port ${port} (${(error as Error).message}): give another port, or stop the process that uses it`,
      ExitCode.config,
    )
  }
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function serve(socket: net.Socket, accept: (peer: PoolPeer) => PoolPeerListener): void {
  const lines = new LineReader()
  const listener = accept({
    remote: `${socket.remoteAddress}:${socket.remotePort}`,
    send(text) {
      if (socket.destroyed) return
      socket.write(text)
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy()
    },
    close: () => socket.destroySoon(),
  })
  socket.setNoDelay(true)
  socket.on("error", () => socket.destroy())
  socket.once("close", () => listener.closed())
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const text of lines.push(chunk)) listener.line(text)
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error
      socket.destroy()
    }
  })
}
