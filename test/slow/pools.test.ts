/** The built executable with pools: the demonstration without a network, and failover there and back. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock as clock } from "../../src/clock.ts"
import { PIN_FILE, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { startNode } from "../../src/devnode/node.ts"
import { startPool } from "../../src/devnode/pool.ts"
import { type ScriptedNode, startScriptedNode } from "../faults/scripted-node.ts"
import { MinerProcess } from "../support/miner-process.ts"

const running: MinerProcess[] = []

function start(...args: string[]): MinerProcess {
  const process = new MinerProcess(args)
  running.push(process)
  return process
}

afterEach(async () => {
  for (const process of running.splice(0)) await process.stop()
})

test("demo mines for the development pool", async () => {
  const pool = start("pool", "--port", "0", "--difficulty", "20000")
  const [, address] = /listening on (\S+);/.exec((await pool.line(/listening on/)).text)!
  const demo = start(
    "demo",
    "--url",
    `stratum+tcp://${address}`,
    "--login",
    "miner.1",
    "--seals",
    "5",
    "--cpu-workers",
    "1",
  )
  expect(await demo.ended).toBe(0)
  expect(demo.text).toMatch(/ ([5-9]|[1-9]\d+) seals accepted/)
  await pool.stop()
  expect(pool.text).toMatch(/\b([5-9]|[1-9]\d+) accepted shares, \d+ stale, 0 duplicate, 0 low, 0 malformed/)
}, 60_000)

test("a pool takes over from a node that is gone, and the node takes over again when it returns", async () => {
  const dir = mkdtempSync(join(tmpdir(), "quantus-miner-failover-"))
  const node = (port: number) =>
    startNode({ address: "127.0.0.1", port, dir, difficulty: 20_000n, intervalMs: 60_000, clock, onEvent() {} })
  const shares: string[] = []
  const pool = await startPool({
    address: "127.0.0.1",
    port: 0,
    difficulty: 20_000n,
    intervalMs: 60_000,
    clock,
    onEvent: event => void (event.type === "share" && shares.push(event.verdict)),
  })
  const first = await node(0)
  const [quic, stratum] = [`quic://127.0.0.1:${first.port}`, `stratum+tcp://127.0.0.1:${pool.port}`]
  const credentials = ["--auth-token-file", join(dir, TOKEN_FILE), "--tls-cert-sha256-file", join(dir, PIN_FILE)]
  const miner = start(
    "serve",
    "--url",
    `${quic},${stratum}`,
    ...credentials,
    "--login",
    "miner.1",
    "--cpu-workers",
    "1",
  )
  await miner.line(new RegExp(`sent to ${quic}`))
  expect(shares).toEqual([])

  await first.close()
  await miner.line(new RegExp(`accepted by ${stratum.replace("+", "\\+")}`))
  const returned = await node(first.port)
  await miner.line(new RegExp(`sent to ${quic}`), miner.lines.length)
  const sharesThen = shares.length
  await miner.line(new RegExp(`sent to ${quic}`), miner.lines.length)
  expect(shares).toHaveLength(sharesThen)
  expect(new Set(shares)).toEqual(new Set(["accepted"]))
  expect(await miner.stop()).toBe(0)
  expect(returned.totals).toMatchObject({ invalid: 0, stale: 0, failed: 0 })
  await returned.close()
  await pool.close()
  rmSync(dir, { recursive: true })
}, 120_000)

const NOTHING = { job_id: "none", mining_hash: "", difficulty: "0" }

test.each([
  ["says nothing more", () => {}],
  ["withdraws its job", (node: ScriptedNode) => node.peers[0]!.send(JSON.stringify({ NewJob: NOTHING }))],
] as const)(
  "a pool takes over from a connected node that %s after a seal, until the node's next job",
  async (_what, then) => {
    const node = await startScriptedNode()
    const pool = await startPool({
      ...{ address: "127.0.0.1", port: 0, difficulty: 5000n, intervalMs: 0, clock },
      onEvent() {},
    })
    const [quic, stratum] = [`quic://127.0.0.1:${node.port}`, `stratum+tcp://127.0.0.1:${pool.port}`]
    const options = ["--login", "miner.1", "--cpu-workers=1", "--engine=wasm", "--failover-patience=3"]
    const miner = start("serve", "--url", `${quic},${stratum}`, ...node.credentials, ...options)
    const peer = await node.peer()
    await peer.resultOf(peer.sendJob(1000n).id)
    then(node)
    await miner.line(new RegExp(`accepted by ${stratum.replace("+", "\\+")}`))
    const { id } = peer.sendJob(1000n)
    await peer.resultOf(id)
    await miner.line(new RegExp(`${id} by .* sent to ${quic}`))
    expect(node.peers).toHaveLength(1)
    expect(await miner.stop()).toBe(0)
    await node.close()
    await pool.close()
  },
  120_000,
)
