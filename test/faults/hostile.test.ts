/** What a network, a node or an operator can do to the built miner beside what the other tests do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodeFrame } from "../../src/sources/quic/frames.ts"
import { newJobMessage } from "../../src/sources/quic/messages.ts"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { freeze, freezeRefusal } from "../support/ptrace.ts"
import { figure } from "./figures.ts"
import { isValid, newTestJob, type ScriptedNode, startScriptedNode, type TestPeer } from "./scripted-node.ts"
import { startRelay } from "./udp-relay.ts"

const refusal = await freezeRefusal()
const suffix = refusal ? ` (skipped: ${refusal})` : ""

const HARD = 10n ** 30n
const MEBIBYTE = 2 ** 20

let node: ScriptedNode
let miner: MinerProcess | undefined

beforeEach(async () => {
  node = await startScriptedNode()
  miner = undefined
})

afterEach(async () => {
  if (miner) expect(await miner.stop()).toBe(0)
  await node.close()
})

function args(port = node.port, credentials: readonly string[] = node.credentials): string[] {
  return ["serve", "--node-addr", `127.0.0.1:${port}`, "--cpu-workers=1", ...credentials]
}

async function start(options: ConstructorParameters<typeof MinerProcess>[1] = {}, port?: number) {
  miner = new MinerProcess(args(port), options)
  return { miner, peer: await node.peer() }
}

async function seal(peer: TestPeer, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    const job = peer.sendJob(1n)
    expect(isValid(job, (await peer.resultOf(job.id)).result)).toBe(true)
  }
}

describe("a network", () => {
  test("that sends garbage to the miner's port costs no seal and no memory", async () => {
    const { miner, peer } = await start()
    await seal(peer, 20)
    const before = miner.memory
    const socket = await Bun.udpSocket({})
    const [port] = udpPorts(miner.pid)
    const datagrams = 100_000
    for (let i = 0; i < datagrams; i++) {
      const garbage = crypto.getRandomValues(new Uint8Array(1 + (i % 1300)))
      // Every third looks like a packet with a long header.
      if (i % 3 === 0) garbage[0]! |= 0xc0
      socket.send(garbage, port!, "127.0.0.1")
      if (i % 500 === 0) await Bun.sleep(1)
    }
    await seal(peer, 20)
    socket.close()
    const grown = (miner.memory - before) / MEBIBYTE
    figure(`${datagrams} datagrams of garbage`, `the connection stayed, ${grown.toFixed(0)} MiB more resident`)
    expect(node.peers).toHaveLength(1)
    expect(grown).toBeLessThan(50)
  }, 60_000)

  test("that loses, doubles, delays and spoils datagrams changes no seal", async () => {
    let seed = 1
    const random = () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff
    const relay = await startRelay(node.port, (datagram, send) => {
      const fate = random()
      if (fate < 0.05) return
      if (fate < 0.1) datagram[Math.floor(random() * datagram.length)]! ^= 0xff
      if (fate < 0.2) setTimeout(() => send(datagram), 20 * random())
      else send(datagram)
      if (fate > 0.9) send(datagram)
    })
    const { peer } = await start({}, relay.port)
    const jobs = 300
    await seal(peer, jobs)
    figure(
      "a tenth of all datagrams lost or spoilt",
      `${jobs} of ${jobs} jobs sealed, ${node.peers.length} connection(s)`,
    )
    expect(peer.results).toHaveLength(jobs)
    relay.close()
  }, 120_000)
})

describe("a node", () => {
  const ids = {
    "forges a line": "a\nb [error] forged",
    "commands the terminal": "\x1b[2J\x1b]0;x\x07",
    "turns letters around": "\u202etset",
    "is a member of every object": "__proto__",
    "is empty": "",
    "is half a character": "\ud800",
    "is long": "x".repeat(600),
    "is a tag": "<script>alert(1)</script>",
  }
  test.each(Object.entries(ids))("may send a job's id that %s", async (_, id) => {
    const { miner, peer } = await start()
    const { header } = newTestJob(1n)
    peer.send(newJobMessage(id, header, 1n))
    const { result } = await peer.resultOf(id)
    expect(isValid({ ...newTestJob(1n), header }, result)).toBe(true)
    expect(miner.lines.some(({ text }) => text.startsWith("[error]") || text.includes("\x1b"))).toBe(false)
    expect(miner.text).not.toMatch(/\p{Bidi_Control}/u)
  })

  test("may send a hundred thousand messages that mean nothing, for a few warnings", async () => {
    const { miner, peer } = await start()
    await seal(peer)
    await miner.line(/; using /)
    const send = async (from: number) => {
      peer.sendBytes(new Uint8Array(4 * 50_000))
      for (let i = from; i < from + 50; i++) {
        const messages = Array.from({ length: 1000 }, (_, k) => encodeFrame(`{"Unknown${1000 * i + k}":1}`))
        peer.sendBytes(Buffer.concat(messages))
        await Bun.sleep(5)
      }
      await seal(peer, 20)
    }
    await send(0)
    // A leak grows in every round, an uncollected heap does not.
    let grown = Number.POSITIVE_INFINITY
    for (let round = 1; round <= 3 && grown >= 50; round++) {
      const before = miner.memory
      await send(50 * round)
      grown = (miner.memory - before) / MEBIBYTE
    }
    const warnings = miner.text.match(/\[warn\]/g)!.length
    figure(
      "200,000 messages that mean nothing",
      `${warnings} warnings, ${grown.toFixed(0)} MiB more resident in the second half`,
    )
    expect(node.peers).toHaveLength(1)
    expect(warnings).toBeLessThanOrEqual(16)
    expect(grown).toBeLessThan(50)
  }, 60_000)

  test("may open streams beside the miner's own, in silence", async () => {
    const { miner, peer } = await start()
    await seal(peer)
    for (let i = 0; i < 50; i++) peer.sendAside(new Uint8Array(1000))
    await seal(peer, 20)
    expect(node.peers).toHaveLength(1)
    expect(miner.lines.filter(({ text }) => !text.startsWith("["))).toEqual([])
  })
})

describe("an operator", () => {
  test("may take the log's reader away", async () => {
    const reading = 'exec "$@" 2> >(head -n 2 > /dev/null)'
    const { peer } = await start({ prefix: ["bash", "-c", reading, "bash"] })
    await seal(peer, 50)
    expect(node.peers).toHaveLength(1)
  })

  test("may leave the log unread", async () => {
    const unread = 'exec "$@" --verbose 2> >(exec tail --pid=$$ -f /dev/null)'
    const { miner, peer } = await start({ prefix: ["bash", "-c", unread, "bash"] })
    // Until then memory grows by compiled code and by the log's buffer, which is limited.
    await seal(peer, 6000)
    let grown = Number.POSITIVE_INFINITY
    for (let round = 1; round <= 3 && grown >= 30; round++) {
      const before = miner.memory
      await seal(peer, 4000)
      grown = (miner.memory - before) / MEBIBYTE
    }
    figure("a log that nobody reads", `4,000 more jobs sealed, ${grown.toFixed(0)} MiB more resident`)
    expect(grown).toBeLessThan(30)
  }, 120_000)

  test("may start it without standard streams", async () => {
    const { peer } = await start({ prefix: ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"] })
    await seal(peer, 20)
  })

  test("may stop it for three seconds and continue it", async () => {
    const { miner, peer } = await start()
    peer.sendJob(HARD)
    await miner.line(/difficulty/)
    miner.kill("SIGSTOP")
    await Bun.sleep(3000)
    miner.kill("SIGCONT")
    await Bun.sleep(1500)
    await seal(node.peers.at(-1)!, 20)
    expect(miner.text).not.toContain("made no progress")
  }, 20_000)

  test.skipIf(refusal !== undefined)(
    `may replace the executable: workers are still replaced${suffix}`,
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "quantus-faults-"))
      const executable = join(directory, "quantus-miner")
      copyFileSync(builtExecutable(), executable)
      const { miner, peer } = await start({ prefix: ["sh", "-c", 'shift; exec "$0" "$@"', executable] })
      peer.sendJob(HARD)
      await miner.line(/difficulty/)
      rmSync(executable)
      writeFileSync(executable, "another one")
      const frozen = await freeze(miner.pid, miner.workers[0]!)
      await miner.line(/was replaced/)
      frozen.resume()
      await seal(peer, 20)
      rmSync(directory, { recursive: true })
    },
    20_000,
  )

  test("may give the token in a pipe, also to a miner that loses its connection", async () => {
    const { token } = node.identity
    const [, pin] = node.credentials
    const piped = `exec "$@" --auth-token-file <(echo ${token})`
    miner = new MinerProcess(args(node.port, [pin!]), { prefix: ["bash", "-c", piped, "bash"] })
    const peer = await node.peer()
    await seal(peer)
    peer.close()
    const next = await node.peer(1)
    expect(next.token).toBe(token)
    await seal(next)
  })

  test("gets an error for a token file without end", async () => {
    const [, pin] = node.credentials
    const endless = new MinerProcess(args(node.port, ["--auth-token-file=/dev/zero", pin!]))
    expect(await endless.exited).toBe(78)
    expect(endless.text).toContain("/dev/zero is too large")
  })
})

/** Ports of the UDP sockets that a process has open. */
function udpPorts(pid: number): number[] {
  const links = readdirSync(`/proc/${pid}/fd`).map(descriptor => readlinkSync(`/proc/${pid}/fd/${descriptor}`))
  const sockets = ["udp", "udp6"].flatMap(file => readFileSync(`/proc/net/${file}`, "utf8").split("\n").slice(1, -1))
  return sockets
    .map(line => line.trim().split(/\s+/))
    .filter(fields => links.includes(`socket:[${fields[9]}]`))
    .map(fields => Number.parseInt(fields[1]!.split(":")[1]!, 16))
}
