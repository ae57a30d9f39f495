/**
 * What 1,000 clients that never finish a request cost a mining executable: memory, CPU time of the thread that serves
 * them, and hashes per CPU second of the worker. Other load on the machine distorts none of these.
 */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { figure } from "../faults/figures.ts"
import { MinerProcess } from "../support/miner-process.ts"

const CLIENTS = 1000
const PHASE_MS = 15_000
/** CPU time that the main thread may spend on one client, from its connection until it is dropped. */
const MAX_CLIENT_MS = 0.5
/** Unit of CPU times in the proc file system: clock ticks per second. */
const TICKS = 100

const PARTS = {
  "no header": "",
  "a part of the headers": "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ",
  "a part of the body": "POST /mine HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4096\r\n\r\n{",
}

test.each(Object.entries(PARTS))(
  `${CLIENTS} clients that send %s cost less than 64 MiB, and less than ${MAX_CLIENT_MS} ms of CPU time each`,
  async (what, part) => {
    const args = ["--engine", "wasm", "--cpu-workers", "1", "--gpu-devices", "0", "--metrics-port", "0"]
    const miner = new MinerProcess(["api", ...args, "--port", "0"])
    const portOf = async (line: RegExp) => Number(line.exec((await miner.line(line)).text)![1])
    const metricsPort = await portOf(/serving http:\/\/127\.0\.0\.1:(\d+)/)
    const port = await portOf(/connected to http:\/\/127\.0\.0\.1:(\d+)/)
    const job = {
      job_id: "endless",
      mining_hash: "ab".repeat(32),
      difficulty: String(2n ** 500n),
      nonce_start: "0".repeat(128),
      nonce_end: "f".repeat(128),
    }
    const accepted = await fetch(`http://127.0.0.1:${port}/mine`, { method: "POST", body: JSON.stringify(job) })
    expect(accepted.status).toBe(200)
    const hashes = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      return Number(/^miner_hashes_total (\d+)$/m.exec(metrics)![1])
    }
    const measure = async () => {
      const began = performance.now()
      const [hashed, main, worker] = [await hashes(), cpuSeconds(miner.pid), workerSeconds(miner)]
      let memory = 0
      while (performance.now() - began < PHASE_MS) {
        await Bun.sleep(250)
        memory = Math.max(memory, miner.memory)
      }
      const cpus = (cpuSeconds(miner.pid) - main) / ((performance.now() - began) / 1000)
      return { rate: ((await hashes()) - hashed) / (workerSeconds(miner) - worker), cpus, memory }
    }
    const before = await measure()
    const attack = new Attack(part.startsWith("POST") ? port : metricsPort, part)
    const during = await measure()
    attack.stop()
    const after = await measure()
    expect(await miner.stop()).toBe(0)

    const rate = (before.rate + after.rate) / 2
    const mebibytes = (during.memory - before.memory) / 2 ** 20
    const share = during.rate / rate
    const cpus = during.cpus - (before.cpus + after.cpus) / 2
    const clientMs = (cpus * PHASE_MS) / attack.dropped
    figure(
      `${CLIENTS} clients that send ${what}`,
      [
        `${mebibytes.toFixed(0)} MiB`,
        `${(cpus * 100).toFixed(1)} % of a CPU`,
        `${clientMs.toFixed(3)} ms for each of ${attack.dropped} dropped`,
        `${(share * 100).toFixed(0)} % of the hashes per CPU second`,
      ].join(", "),
    )
    expect(attack.dropped).toBeGreaterThanOrEqual(CLIENTS)
    expect(mebibytes).toBeLessThan(64)
    expect(clientMs).toBeLessThan(MAX_CLIENT_MS)
    // Two CPUs may be threads of one core, which the clients then share with the worker.
    expect(share).toBeGreaterThan(0.4)
  },
  120_000,
)

function workerSeconds(miner: MinerProcess): number {
  return miner.workers.reduce((sum, thread) => sum + cpuSeconds(miner.pid, thread), 0)
}

/** User and system time of a thread. */
function cpuSeconds(pid: number, thread = pid): number {
  const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") ")[1]!.split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** Keeps connections open with a part of a request each; one that is dropped is replaced. */
class Attack {
  dropped = 0
  readonly #port: number
  readonly #part: string
  readonly #sockets = new Set<Socket>()
  #stopped = false

  constructor(port: number, part: string) {
    this.#port = port
    this.#part = part
    for (let client = 0; client < CLIENTS; client++) this.#connect()
  }

  stop(): void {
    this.#stopped = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #connect(): void {
    const socket = connect(this.#port, "127.0.0.1", () => socket.write(this.#part))
    this.#sockets.add(socket)
    socket.on("error", () => {})
    socket.on("data", () => {})
    socket.on("close", () => {
      this.#sockets.delete(socket)
      if (this.#stopped) return
      this.dropped += 1
      setTimeout(() => !this.#stopped && this.#connect(), 100)
    })
  }
}
