/** A UDP relay between miners and a node, which can lose what passes through it. */
export interface Relay {
  readonly port: number
  /** Nothing passes from now on, in either direction. */
  freeze(): void
  thaw(): void
  /** Datagrams that arrived from miners, passed on or not: when, and how long. */
  readonly arrivals: { readonly at: number; readonly bytes: number }[]
  close(): void
}

/** What becomes of a datagram, in either direction: it is sent on now, later, changed, more than once or not at all. */
export type Fate = (datagram: Buffer, send: (datagram: Buffer) => void) => void

export async function startRelay(nodePort: number, fate: Fate = (datagram, send) => send(datagram)): Promise<Relay> {
  const upstreams = new Map<string, Promise<Bun.udp.ConnectedSocket<"buffer">>>()
  const arrivals: { at: number; bytes: number }[] = []
  let frozen = false
  const front = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      async data(_socket, datagram, port, address) {
        arrivals.push({ at: performance.now(), bytes: datagram.length })
        if (frozen) return
        const key = `${address}:${port}`
        if (!upstreams.has(key)) upstreams.set(key, connect(port, address))
        const bytes = Buffer.from(datagram)
        const upstream = await upstreams.get(key)!
        fate(bytes, bytes => {
          if (!upstream.closed) upstream.send(bytes)
        })
      },
      error() {},
    },
  })
  const connect = (port: number, address: string) =>
    Bun.udpSocket({
      connect: { hostname: "127.0.0.1", port: nodePort },
      socket: {
        data(_socket, datagram) {
          if (frozen) return
          fate(Buffer.from(datagram), bytes => {
            if (!front.closed) front.send(bytes, port, address)
          })
        },
        error() {},
      },
    })
  return {
    port: front.port,
    arrivals,
    freeze() {
      frozen = true
    },
    thaw() {
      frozen = false
    },
    close() {
      front.close()
      for (const upstream of upstreams.values()) upstream.then(socket => socket.close())
    },
  }
}
