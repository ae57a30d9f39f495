/** The built executable with a pool that follows a script, and a good pool behind it. */
import { afterEach, expect, test } from "bun:test"
import net from "node:net"
import { systemClock as clock } from "../../../src/clock.ts"
import { startPool } from "../../../src/devnode/pool.ts"
import { targetOf, verifySeal } from "../../../src/pow/target.ts"
import { MinerProcess } from "../../support/miner-process.ts"
import { figure } from "../figures.ts"

const DIFFICULTY = 20_000n

interface Scenario {
  readonly title: string
  /** Whether the login's answer carries a job. */
  readonly job: boolean
  /** The answer to a share: null for silence. */
  readonly share: object | null
  /** Milliseconds after the login at which the pool closes the connection. */
  readonly closeAfter?: number
  /** Most logins until the fallback mines. */
  readonly maxLogins: number
  /** Milliseconds within which the fallback has accepted a share. */
  readonly within: number
}

const SCENARIOS: readonly Scenario[] = [
  { title: "a pool without a job", job: false, share: null, maxLogins: 1, within: 8000 },
  {
    title: "a pool that closes 0.3 s after its job",
    job: true,
    share: null,
    closeAfter: 300,
    maxLogins: 5,
    within: 10_000,
  },
  {
    title: "a pool that refuses every share",
    job: true,
    share: { error: { code: 1, message: "banned" } },
    maxLogins: 1,
    within: 8000,
  },
]

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startScript({ job, share, closeAfter }: Scenario) {
  const header = crypto.getRandomValues(new Uint8Array(32))
  const seen = { logins: 0, shares: [] as string[][], invalid: 0 }
  const server = net.createServer(socket => {
    let rest = ""
    const shares: string[] = []
    seen.shares.push(shares)
    const say = (message: object) => void socket.write(`${JSON.stringify(message)}\n`)
    socket.on("error", () => {})
    socket.on("data", chunk => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop()!
      for (const { id, method, params } of lines.map(line => JSON.parse(line))) {
        if (method === "login") {
          seen.logins++
          const first = {
            job_id: "1",
            mining_hash: header.toHex(),
            extranonce: "00000001",
            difficulty: String(DIFFICULTY),
          }
          say({ id: String(id), result: { id: 5, job: job ? first : null }, error: [] })
          if (closeAfter !== undefined) setTimeout(() => socket.destroy(), closeAfter)
        } else if (method === "submit") {
          shares.push(params.nonce)
          if (!verifySeal(header, Uint8Array.fromHex(params.nonce), targetOf(DIFFICULTY))) seen.invalid++
          if (share) say({ id, ...share })
        }
      }
    })
    cleanups.push(() => socket.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  cleanups.push(() => server.close())
  return { seen, port: (server.address() as net.AddressInfo).port }
}

for (const scenario of SCENARIOS) {
  test(`${scenario.title}: the fallback mines`, async () => {
    const script = await startScript(scenario)
    const options = { address: "127.0.0.1", port: 0, difficulty: DIFFICULTY, intervalMs: 60_000, clock }
    const fallback = await startPool({ ...options, onEvent() {} })
    cleanups.push(() => fallback.close())
    const [first, second] = [script.port, fallback.port].map(port => `stratum+tcp://127.0.0.1:${port}`)
    const settings = ["--login=a.b", "--cpu-workers=1", "--gpu-devices=0", "--engine=wasm", "--failover-patience=3"]
    const miner = new MinerProcess(["serve", "--url", `${first},${second}`, ...settings])
    cleanups.push(() => miner.stop())
    const { at: from } = await miner.line(/connected to/)
    const { at } = await miner.line(new RegExp(`accepted by ${second!.replace("+", "\\+")}`))
    figure(scenario.title, `${(at - from).toFixed(0)} ms to the fallback, ${script.seen.logins} logins`)
    expect(at - from).toBeLessThan(scenario.within)
    expect(script.seen.logins).toBeLessThanOrEqual(scenario.maxLogins)
    expect(script.seen.invalid).toBe(0)
    // A share that was not answered before the connection ended is sent once more, on the next one.
    for (const nonces of script.seen.shares) expect(new Set(nonces).size).toBe(nonces.length)
    const sent = Map.groupBy(script.seen.shares.flat(), nonce => nonce)
    for (const times of sent.values()) expect(times.length).toBeLessThanOrEqual(2)
  }, 60_000)
}
