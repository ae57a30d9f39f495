/** A SOCKS5 and HTTP proxy on loopback that notes what it is asked for. */
import net from "node:net"

export interface ProxyOptions {
  /** `user:password` that it requires; none by default. */
  readonly credentials?: string
  /** Bytes per piece of the proxy's answers. */
  readonly piece?: number
  /** SOCKS5 reply or HTTP status for every request instead of a connection. */
  readonly refuse?: number
  /** Sends this on every connection instead of a proxy's answers. */
  readonly babble?: string
}

export interface StandInProxy {
  readonly port: number
  /** `host:port` as requested, names unresolved. */
  readonly requests: string[]
  close(): void
}

export async function startProxy({
  credentials,
  piece = 1000,
  refuse,
  babble,
}: ProxyOptions = {}): Promise<StandInProxy> {
  const requests: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer(socket => {
    sockets.add(socket)
    socket.on("error", () => {})
    void serve(socket).catch(() => socket.destroy())
  })

  async function serve(socket: net.Socket): Promise<void> {
    if (babble !== undefined) return void socket.write(babble)
    let bytes = Buffer.alloc(0)
    let wake = () => {}
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      wake()
    }
    socket.on("data", take)
    const read = async (enough: () => number): Promise<Buffer> => {
      while (enough() < 0 || bytes.length < enough()) await new Promise<void>(resolve => (wake = resolve))
      const length = enough()
      const [taken, rest] = [bytes.subarray(0, length), bytes.subarray(length)]
      bytes = Buffer.from(rest)
      return Buffer.from(taken)
    }
    const exactly = (count: number) => read(() => count)
    const answer = async (answer: Uint8Array) => {
      for (let at = 0; at < answer.length; at += piece) {
        socket.write(answer.subarray(at, at + piece))
        await Bun.sleep(1)
      }
    }
    const connect = (host: string, port: number, ok: Uint8Array) => {
      requests.push(`${host}:${port}`)
      // The destination's first bytes follow the answer at once.
      const upstream = net.connect(port, net.isIP(host) ? host : "127.0.0.1")
      sockets.add(upstream)
      upstream.on("error", () => socket.destroy())
      upstream.once("connect", async () => {
        await answer(ok)
        socket.off("data", take)
        upstream.write(bytes)
        socket.pipe(upstream)
        upstream.pipe(socket)
      })
    }

    const [first] = await exactly(1)
    if (first === 5) {
      const [count] = await exactly(1)
      const methods = await exactly(count!)
      const method = credentials === undefined ? 0 : 2
      await answer(Uint8Array.of(5, methods.includes(method) ? method : 0xff))
      if (method === 2) {
        const [, userLength] = await exactly(2)
        const user = await exactly(userLength!)
        const pass = await exactly((await exactly(1))[0]!)
        const isRight = `${user}:${pass}` === credentials
        await answer(Uint8Array.of(1, isRight ? 0 : 1))
        if (!isRight) return void socket.end()
      }
      const [, , , type] = await exactly(4)
      const host =
        type === 3
          ? String(await exactly((await exactly(1))[0]!))
          : type === 1
            ? (await exactly(4)).join(".")
            : (await exactly(16)).toString("hex")
      const port = (await exactly(2)).readUInt16BE()
      const reply = (code: number) => Uint8Array.of(5, code, 0, 3, 2, 104, 105, 0, 0)
      if (refuse !== undefined) return void answer(reply(refuse))
      connect(host, port, reply(0))
    } else {
      const head = String.fromCharCode(first!) + (await read(() => endOf(bytes)))
      const [, host, port] = /^CONNECT (.+):(\d+) HTTP/.exec(head)!
      const [, given = ""] = /Proxy-Authorization: Basic (\S+)/.exec(head) ?? []
      const isRight = credentials === undefined || Buffer.from(given, "base64").toString() === credentials
      const status = refuse ?? (isRight ? 200 : 407)
      const line = Buffer.from(`HTTP/1.1 ${status} ${status === 200 ? "Connection established" : "No"}\r\nX: y\r\n\r\n`)
      if (status !== 200) return void answer(line)
      connect(host!, Number(port), line)
    }
  }

  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    requests,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const endOf = (bytes: Buffer): number => {
  const at = bytes.indexOf("\r\n\r\n")
  return at < 0 ? -1 : at + 4
}
