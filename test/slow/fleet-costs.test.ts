/** What a miner costs the node that it connects to, the network, and the Prometheus server that scrapes it. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { linesOf } from "../../src/host/lines-of.ts"
import { figure } from "../faults/figures.ts"
import { startScriptedNode } from "../faults/scripted-node.ts"
import { startRelay } from "../faults/udp-relay.ts"
import { nodeMissing, RealNode } from "../node/real-node.ts"
import { freeTcpPort, freeUdpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import type { FleetEvent } from "./fleet-connections.ts"
import { startMonitored } from "./monitored.ts"

const CONNECTIONS = 200
const IDLE_MS = 20_000
const MESSAGES = 20
const SCRAPES = 200
const TARGETS = 500
const SCRAPE_SECONDS = 2
const TEST_MS = 300_000
/** Headers of IPv4 and UDP, of each datagram. */
const HEADERS = 28
/** Clock ticks a second in the proc file system. */
const TICKS = 100

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test.skipIf(nodeMissing !== undefined)(
  `a connection at a whole node${nodeMissing === undefined ? "" : ` (skipped: ${nodeMissing})`}`,
  async () => {
    const node = new RealNode(scratch(), await freeUdpPort(), false)
    cleanups.push(() => node.stop())
    await node.listening()
    await Bun.sleep(IDLE_MS)
    const alone = usageOf(node.pid)
    await Bun.sleep(IDLE_MS)
    const before = usageOf(node.pid)
    await connect(node.port, dirname(node.credentials.token))
    const connected = usageOf(node.pid)
    await Bun.sleep(IDLE_MS)
    const after = usageOf(node.pid)
    const idleBefore = before.cpuMs - alone.cpuMs
    figure(
      "CPU time of a whole node for one connection's handshake",
      ms((connected.cpuMs - before.cpuMs) / CONNECTIONS),
    )
    figure(
      "CPU time of a whole node for an idle connection, a second",
      ms(Math.max(0, after.cpuMs - connected.cpuMs - idleBefore) / CONNECTIONS / (IDLE_MS / 1000)),
    )
    figure("memory of a whole node for a connection", kilobytes((after.memory - before.memory) / CONNECTIONS))
    figure(
      `file descriptors of a whole node, without and with ${CONNECTIONS} connections`,
      `${before.descriptors} and ${after.descriptors}`,
    )
    expect(after.descriptors - before.descriptors).toBeLessThan(CONNECTIONS / 10)
  },
  TEST_MS,
)

test(
  "the traffic of a miner",
  async () => {
    const node = await startScriptedNode()
    cleanups.push(() => node.close())
    let bytes = 0
    const relay = await startRelay(node.port, (datagram, send) => {
      bytes += datagram.length + HEADERS
      send(datagram)
    })
    cleanups.push(() => relay.close())
    const engine = ["--cpu-workers=1", "--engine=wasm", "--gpu-devices=0"]
    const miner = new MinerProcess(["serve", `--node-addr=127.0.0.1:${relay.port}`, ...engine, ...node.credentials])
    cleanups.push(() => miner.stop())
    const peer = await node.peer()
    await miner.line(/connected to/)
    const connecting = bytes
    await Bun.sleep(IDLE_MS)
    const idle = ((bytes - connecting) / IDLE_MS) * 1000
    /** Bytes of a job, and of its seal if it is easy, less what the connection needs anyway. */
    const costOf = async (difficulty: bigint) => {
      const [from, started] = [bytes, performance.now()]
      for (let i = 0; i < MESSAGES; i++) {
        const job = peer.sendJob(difficulty)
        if (difficulty === 1n) await peer.resultOf(job.id)
        await Bun.sleep(200)
      }
      return Math.max(0, bytes - from - (idle * (performance.now() - started)) / 1000) / MESSAGES
    }
    const job = await costOf(2n ** 200n)
    const jobAndSeal = await costOf(1n)
    figure("traffic of a handshake, both directions", `${connecting} bytes`)
    figure("traffic of an idle connection, a second", `${idle.toFixed(0)} bytes`)
    figure("traffic of a job", `${job.toFixed(0)} bytes`)
    figure("traffic of a seal", `${(jobAndSeal - job).toFixed(0)} bytes`)
    expect(jobAndSeal).toBeGreaterThan(job)
  },
  TEST_MS,
)

const prometheus = Bun.which("prometheus")
test.skipIf(!prometheus)(
  `a scraped miner${prometheus ? "" : " (skipped: prometheus is not installed)"}`,
  async () => {
    const miner = await startMonitored()
    cleanups.push(() => miner.stop())
    await Bun.sleep(5000)
    const started = miner.cpuSeconds()
    await Bun.sleep(5000)
    const idle = (miner.cpuSeconds() - started) / 5
    const [from, at] = [miner.cpuSeconds(), performance.now()]
    let page = ""
    let bytes = 0
    for (let i = 0; i < SCRAPES; i++) {
      const response = await fetch(`${miner.url}/metrics`, {
        headers: { "accept-encoding": "gzip" },
        decompress: false,
      })
      const body = Buffer.from(await response.arrayBuffer())
      bytes = body.length
      page = (response.headers.get("content-encoding") === "gzip" ? Buffer.from(Bun.gunzipSync(body)) : body).toString()
    }
    const cpu = miner.cpuSeconds() - from - (idle * (performance.now() - at)) / 1000
    const series = page.split("\n").filter(line => line && !line.startsWith("#")).length
    figure("CPU time of a miner for a scrape", ms((cpu * 1000) / SCRAPES))
    figure("a scrape", `${series} series, ${bytes} bytes sent, ${page.length} bytes of text`)

    const empty = await scrapedBy([], "", 30_000)
    const full = await scrapedBy(
      Array.from({ length: TARGETS }, (_, i) => `rig-${i}`),
      page,
      30_000,
    )
    figure("CPU time of Prometheus for a scrape", ms((full.cpuMs - empty.cpuMs) / full.scrapes))
    figure("memory of Prometheus for a miner", kilobytes((full.memory - empty.memory) / TARGETS))
    expect(full.scrapes).toBeGreaterThan(TARGETS)
  },
  TEST_MS,
)

/** What a Prometheus server spends on targets that all show `page`. */
async function scrapedBy(names: readonly string[], page: string, forMs: number) {
  let scrapes = 0
  const target = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch() {
      scrapes++
      return new Response(page, { headers: { "content-type": "text/plain; version=0.0.4" } })
    },
  })
  const directory = scratch()
  const file = join(directory, "targets.yml")
  const address = `127.0.0.1:${target.port}`
  await Bun.write(file, JSON.stringify(names.map(name => ({ targets: [address], labels: { instance: name } }))))
  const scrape = { job_name: "quantus-miner", file_sd_configs: [{ files: [file] }] }
  const global = { scrape_interval: `${SCRAPE_SECONDS}s` }
  await Bun.write(join(directory, "prometheus.yml"), JSON.stringify({ global, scrape_configs: [scrape] }))
  const server = Bun.spawn(
    [
      prometheus!,
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${freeTcpPort()}`,
      "--log.level=error",
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  )
  await Bun.sleep(forMs)
  const { cpuMs, memory } = usageOf(server.pid)
  server.kill()
  await server.exited
  await target.stop(true)
  return { cpuMs, memory, scrapes }
}

/** Holds connections by the source code once all have been accepted. */
async function connect(port: number, credentials: string): Promise<void> {
  const script = join(import.meta.dir, "fleet-connections.ts")
  const command = [process.execPath, script, `${port}`, `${CONNECTIONS}`, credentials]
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
  cleanups.push(async () => {
    child.kill("SIGKILL")
    await child.exited
  })
  const connected = new Set<number>()
  const { promise, resolve } = Promise.withResolvers<void>()
  const read = async () => {
    for await (const line of linesOf(child.stdout)) {
      const { id, type } = JSON.parse(line) as FleetEvent
      if (type === "connected" && connected.add(id).size === CONNECTIONS) resolve()
    }
  }
  void read()
  await promise
}

interface Usage {
  readonly cpuMs: number
  /** Resident bytes. */
  readonly memory: number
  readonly descriptors: number
}

function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
  const [, resident] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!
  return {
    cpuMs: ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000,
    memory: Number(resident) * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  }
}

const ms = (value: number): string => `${value.toFixed(3)} ms`
const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "quantus-costs-"))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
