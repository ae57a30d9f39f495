/** `sources` against the development node and pool. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock as clock } from "../../src/clock.ts"
import { type DevNode, startNode } from "../../src/devnode/node.ts"
import { type DevPool, startPool } from "../../src/devnode/pool.ts"
import { freeTcpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { createPem } from "../support/pem.ts"

const PROGRAM = [process.execPath, join(import.meta.dir, "../../src/main.ts")]
const directory = mkdtempSync(join(tmpdir(), "quantus-sources-"))

let node: DevNode
let plain: DevPool
let secure: DevPool
let pin: string

beforeAll(async () => {
  const base = { address: "127.0.0.1", port: 0, difficulty: 10n ** 9n, intervalMs: 0, clock, onEvent() {} }
  const { cert: certificate, key } = await createPem()
  pin = new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase()
  node = await startNode({ ...base, dir: directory })
  plain = await startPool(base)
  secure = await startPool({ ...base, tls: { certificate, key } })
})

afterAll(async () => {
  await Promise.all([node.close(), plain.close(), secure.close()])
  rmSync(directory, { recursive: true, force: true })
})

async function sources(toml: string, ...args: string[]): Promise<{ code: number; text: string; out: string }> {
  const file = join(directory, "miner.toml")
  writeFileSync(file, toml)
  const miner = new MinerProcess(["sources", "--config", file, ...args], { program: PROGRAM })
  const code = await miner.ended
  return { code, text: miner.text, out: miner.lines.find(({ text }) => text.startsWith("{"))?.text ?? "" }
}

test("shows the latencies of each source and the state of its certificate", async () => {
  const { identity } = node
  const credentials = `auth_token = "${identity.token}"\ntls_cert_sha256 = "${identity.pin}"`
  const closed = freeTcpPort()
  const toml = `
    login = "qzTest.rig"
    [[source]]
    url = "quic://127.0.0.1:${node.port}"
    ${credentials}
    [[source]]
    url = "stratum+tcp://127.0.0.1:${plain.port}"
    [[source]]
    url = "stratum+tls://localhost:${secure.port}"
    tls_cert_sha256 = "${pin}"
    [[source]]
    url = "stratum+tls://127.0.0.1:${secure.port}"
    [[source]]
    url = "stratum+tcp://127.0.0.1:${closed}"
  `
  const { code, out } = await sources(toml, "--json")
  expect(code).toBe(1)
  const [quic, tcp, pinned, untrusted, absent] = JSON.parse(out).sources
  const ms = expect.any(Number)
  expect(quic).toMatchObject({ connect_ms: ms, login_ms: null, job_ms: ms, problem: null })
  expect(quic.certificate).toMatchObject({ state: "matches the pin", sha256: identity.pin, subject: "CN=localhost" })
  expect(quic.certificate.days_left).toBeGreaterThan(3600)
  expect(tcp).toMatchObject({ connect_ms: ms, login_ms: ms, job_ms: ms, problem: null })
  expect(tcp.certificate).toMatchObject({ state: "not encrypted", sha256: null })
  expect(pinned).toMatchObject({ job_ms: ms, problem: null, certificate: { state: "matches the pin", sha256: pin } })
  expect(untrusted).toMatchObject({ connect_ms: null, login_ms: null, job_ms: null })
  expect(untrusted.problem).toContain("TLS failed: ")
  expect(untrusted.certificate).toMatchObject({ state: "not trusted by this machine", sha256: pin })
  expect(absent).toMatchObject({ connect_ms: null, job_ms: null, certificate: { state: "not encrypted" } })
  expect(absent.problem).toContain("ECONNREFUSED")
}, 30_000)

test("prints a table, and ends with 0 if every source has a job", async () => {
  const { code, text } = await sources(`
    url = "stratum+tls://localhost:${secure.port}"
    login = "qzTest.rig"
    tls_cert_sha256 = "${pin}"
  `)
  expect(code).toBe(0)
  expect(text).toMatch(/^Source +Connect +Login +Job +Certificate$/m)
  expect(text).toMatch(/^stratum\+tls:\S+( +[\d.]+ ms){3} +matches the pin, valid for \d+ days$/m)
  expect(text).toContain(`SHA-256 ${pin}, issued by CN=localhost`)
}, 30_000)
