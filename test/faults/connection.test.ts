/** Nodes and networks that come and go. */
import { afterEach, describe, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createIdentity, PIN_FILE, saveIdentity, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { freeUdpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { type ScriptedNode, startScriptedNode } from "./scripted-node.ts"
import { startRelay } from "./udp-relay.ts"

/** Seconds that a node stays away. */
const ABSENCES = [1, 10, 60]
/** Milliseconds within which mining has resumed after its return. */
const RESUMED = 1500
/**
 * Three times what the miner itself puts up with. The runtime's server, unlike a node's, drops connections without
 * stream data after 60 s, so longer silences are for the interop tests.
 */
const SILENT_SECONDS = 50

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function scripted(options: Parameters<typeof startScriptedNode>[0] = {}): Promise<ScriptedNode> {
  const node = await startScriptedNode(options)
  cleanups.push(() => node.close())
  return node
}

function mine(port: number, credentials: readonly string[], host = "127.0.0.1"): MinerProcess {
  const miner = new MinerProcess(["serve", "--node-addr", `${host}:${port}`, "--cpu-workers=1", ...credentials])
  cleanups.push(() => miner.stop())
  return miner
}

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), "quantus-faults-"))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const credentialsIn = (dir: string) => [
  `--auth-token-file=${join(dir, TOKEN_FILE)}`,
  `--tls-cert-sha256-file=${join(dir, PIN_FILE)}`,
]

/** The development node in a separate process, which can be killed. */
function nodeProcess(port: number, dir: string): MinerProcess {
  return new MinerProcess(["node", `--port=${port}`, `--dir=${dir}`, "--difficulty=2000", "--interval-ms=3600000"])
}

describe("a node that was killed without a goodbye", () => {
  test("is mined for within 1.5 s of its return after 1, 10 and 60 s", async () => {
    const resumed = await Promise.all(ABSENCES.map(killedFor))
    figure(
      "node killed (SIGKILL), back after 1, 10, 60 s: first seal after",
      `${resumed.map(ms => ms.toFixed(0)).join(", ")} ms`,
    )
    expect(Math.max(...resumed)).toBeLessThan(RESUMED)
  }, 120_000)

  async function killedFor(seconds: number): Promise<number> {
    const [port, dir] = [await freeUdpPort(), scratch()]
    await saveIdentity(dir, await createIdentity())
    const first = nodeProcess(port, dir)
    await first.line(/listening on/)
    mine(port, credentialsIn(dir))
    await first.line(/sealed by miner/)
    first.kill("SIGKILL")
    await first.exited
    await Bun.sleep(seconds * 1000)
    const second = nodeProcess(port, dir)
    cleanups.push(() => second.stop())
    const returned = await second.line(/listening on/)
    const sealed = await second.line(/sealed by miner/)
    return sealed.at - returned.at
  }
})

describe("a node whose packets are dropped", () => {
  test("is mined for within 1.5 s of its return after 1, 10 and 60 s", async () => {
    const resumed = await Promise.all(ABSENCES.map(droppedFor))
    figure("packets dropped for 1, 10, 60 s: next seal after", `${resumed.map(ms => ms.toFixed(0)).join(", ")} ms`)
    expect(Math.max(...resumed)).toBeLessThan(RESUMED)
  }, 120_000)

  async function droppedFor(seconds: number): Promise<number> {
    const node = await scripted({ onReady: peer => peer.sendJob(1n) })
    const relay = await startRelay(node.port)
    cleanups.push(() => relay.close())
    mine(relay.port, node.credentials)
    const before = await node.peer()
    await before.resultOf((await nextResult(before)).job_id)
    relay.freeze()
    await Bun.sleep(seconds * 1000)
    relay.thaw()
    const returned = performance.now()
    // Jobs go to the old connection as well: whichever is heard first.
    const ask = setInterval(() => node.peers.at(-1)!.sendJob(1n), 20)
    try {
      for (;;) {
        await Bun.sleep(2)
        const at = node.peers.flatMap(({ results }) => results.map(result => result.at)).find(time => time > returned)
        if (at !== undefined) return at - returned
      }
    } finally {
      clearInterval(ask)
    }
  }

  async function nextResult(peer: Awaited<ReturnType<ScriptedNode["peer"]>>) {
    while (peer.results.length === 0) await Bun.sleep(5)
    return peer.results[0]!.result
  }

  test("is noticed within 15 s", async () => {
    const node = await scripted()
    const relay = await startRelay(node.port)
    cleanups.push(() => relay.close())
    const miner = mine(relay.port, node.credentials)
    await miner.line(/connected to/)
    relay.freeze()
    const frozen = performance.now()
    const noticed = await miner.line(/has not answered for 15 s/)
    const seconds = (noticed.at - frozen) / 1000
    figure("a half-open connection is noticed after", `${seconds.toFixed(1)} s`)
    expect(seconds).toBeLessThan(15)
  }, 30_000)

  test("is tried often, with jitter, for a datagram or two a second", async () => {
    const sink = await startRelay(await freeUdpPort())
    cleanups.push(() => sink.close())
    sink.freeze()
    const dir = scratch()
    await saveIdentity(dir, await createIdentity())
    const miner = mine(sink.port, credentialsIn(dir))
    await miner.line(/next attempt in/)
    await Bun.sleep(10_000)
    const times = sink.arrivals.map(({ at }) => at)
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    const rate = (times.length / (times.at(-1)! - times[0]!)) * 1000
    figure(
      "an absent node is tried",
      `at most ${Math.max(...gaps).toFixed(0)} ms apart, ${rate.toFixed(1)} datagrams a second`,
    )
    expect(Math.max(...gaps)).toBeLessThan(1200)
    expect(rate).toBeLessThan(6)
    expect(miner.lines.filter(({ text }) => text.includes("next attempt")).length).toBeLessThan(4)
  }, 30_000)
})

test("a silent node is kept for as long as it is silent", async () => {
  const node = await scripted()
  mine(node.port, node.credentials)
  const peer = await node.peer()
  await Bun.sleep(SILENT_SECONDS * 1000)
  const job = peer.sendJob(1n)
  const { at } = await peer.resultOf(job.id)
  expect([node.peers.length, peer.closedAt]).toEqual([1, undefined])
  figure(
    "a node silent for",
    `${SILENT_SECONDS} s is kept; its next job is sealed after ${(at - job.sentAt).toFixed(1)} ms`,
  )
}, 120_000)

describe("credentials that change", () => {
  test("a rotated certificate is waited for in its file: the file is named, the miner stays, a restart is not needed", async () => {
    const [port, dir] = [await freeUdpPort(), scratch()]
    const before = await startScriptedNode({ port })
    copyCredentials(before, dir)
    const miner = mine(port, credentialsIn(dir))
    await before.peer()
    const { token } = before.identity
    await before.close()
    const identity = { ...(await createIdentity()), token }
    const after = await scripted({ port, identity })
    await miner.line(/presents a certificate other than .* waiting for it to be renewed/)
    expect(miner.text).toContain(join(dir, PIN_FILE))
    expectNoSecrets(miner, before)
    await saveIdentity(dir, identity)
    const peer = await after.peer()
    await peer.resultOf(peer.sendJob(1n).id)
  }, 60_000)

  test("a certificate other than a pin given as a value ends the miner with 77", async () => {
    const node = await scripted()
    const options = ["--tls-cert-sha256", "00".repeat(32), "--auth-token", "token-as-a-value"]
    const miner = mine(node.port, options)
    expect(await miner.exited).toBe(77)
    expect(miner.text).not.toContain("token-as-a-value")
  }, 30_000)

  test("a renewed certificate in the file needs no restart", async () => {
    const [port, dir] = [await freeUdpPort(), scratch()]
    const before = await startScriptedNode({ port })
    copyCredentials(before, dir)
    mine(port, credentialsIn(dir))
    await before.peer()
    await before.close()
    const identity = await createIdentity()
    await saveIdentity(dir, identity)
    const after = await scripted({ port, identity })
    const peer = await after.peer()
    expect(peer.token).toBe(identity.token)
    await peer.resultOf(peer.sendJob(1n).id)
  }, 30_000)

  test("a rejected token given as a value ends the miner with 77 after three attempts", async () => {
    const node = await scripted({ onReady: peer => peer.close() })
    const miner = mine(node.port, ["--tls-cert-sha256", node.identity.pin, "--auth-token", "an-old-token"])
    expect(await miner.exited).toBe(77)
    expect(node.peers).toHaveLength(3)
    expectNoSecrets(miner, node)
    expect(miner.text).not.toContain("an-old-token")
  }, 30_000)

  test("a rejected token in a file is waited for: the file is named, and the renewed one is used", async () => {
    const dir = scratch()
    const node = await scripted({ onReady: peer => peer.token === node.identity.token || peer.close() })
    copyCredentials(node, dir)
    writeFileSync(join(dir, TOKEN_FILE), "an-old-token\n", { mode: 0o600 })
    const miner = mine(node.port, credentialsIn(dir))
    await miner.line(/rejects the token in .* waiting for it to be renewed/)
    expect(node.peers).toHaveLength(3)
    expect(miner.text).toContain(join(dir, TOKEN_FILE))
    expect(miner.text).not.toContain("an-old-token")
    writeFileSync(join(dir, TOKEN_FILE), `${node.identity.token}\n`)
    await miner.line(/connected to/)
  }, 60_000)

  test("a token renewed in the file needs no restart", async () => {
    const dir = scratch()
    const node = await scripted({ onReady: peer => peer.token === node.identity.token || peer.close() })
    copyCredentials(node, dir)
    writeFileSync(join(dir, TOKEN_FILE), "an-old-token\n", { mode: 0o600 })
    const miner = mine(node.port, credentialsIn(dir))
    await miner.line(/1 of 3/)
    writeFileSync(join(dir, TOKEN_FILE), `${node.identity.token}\n`)
    await miner.line(/connected to/)
  }, 30_000)

  test("another generation of node is a clear line, and tried again", async () => {
    const node = await scripted({ alpn: "quantus-miner/1" })
    const miner = mine(node.port, node.credentials)
    await miner.line(/does not speak quantus-miner\/2.*next attempt/)
  })

  function copyCredentials(node: ScriptedNode, dir: string): void {
    for (const option of node.credentials) {
      const source = option.split("=")[1]!
      copyFileSync(source, join(dir, source.split("/").at(-1)!))
    }
  }

  function expectNoSecrets(miner: MinerProcess, node: ScriptedNode): void {
    for (const secret of [node.identity.token, node.identity.pin]) expect(miner.text).not.toContain(secret)
  }
})

describe("a host name", () => {
  const namespaces = Bun.spawnSync(["unshare", "--mount", "true"], { stdout: "ignore", stderr: "ignore" }).success
  if (!namespaces) console.log("skipped: following a host name's addresses needs a mount namespace (root)")

  test.skipIf(!namespaces)(
    "is followed when its address changes",
    async () => {
      const hosts = join(scratch(), "hosts")
      const pointTo = (ip: string) => writeFileSync(hosts, `127.0.0.1 localhost\n${ip} node.test\n`)
      const identity = await createIdentity()
      const before = await startScriptedNode({ identity })
      const moved = await scripted({ identity, port: before.port, address: "127.0.0.2" })
      pointTo("127.0.0.1")
      const miner = new MinerProcess(
        ["serve", "--node-addr", `node.test:${before.port}`, "--cpu-workers=1", ...moved.credentials],
        { prefix: ["unshare", "--mount", "sh", "-c", `mount --bind ${hosts} /etc/hosts && exec "$@"`, "sh"] },
      )
      cleanups.push(() => miner.stop())
      const peer = await before.peer()
      await peer.resultOf(peer.sendJob(1n).id)
      pointTo("127.0.0.2")
      await before.close()
      const left = performance.now()
      const { openedAt } = await moved.peer()
      figure("a host name's new address is followed after", `${(openedAt - left).toFixed(0)} ms`)
    },
    30_000,
  )
})
