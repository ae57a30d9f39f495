/** Each published executable at work. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { KERNELS } from "../../src/engines/cpu/kernels.ts"
import { ExitCode } from "../../src/errors.ts"
import { LoggedProcess } from "../support/logged-process.ts"
import { ARTEFACTS, unpack } from "./artefacts.ts"

const vectors = readFileSync(join(import.meta.dir, "../vectors/nonce-hash.jsonl"), "utf8")
const hashes = vectors
  .trim()
  .split("\n")
  .map(line => (JSON.parse(line) as { hash: string }).hash)
const env = { PATH: process.env["PATH"], HOME: "/dev/null" }

let directory = ""
let node: LoggedProcess | undefined
let credentials: Record<string, string> = {}
let address = ""

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "quantus-artefact-node-"))
  const dir = join(directory, "node")
  node = new LoggedProcess([unpack("linux-x64"), "node", "--port", "0", "--dir", dir, "--difficulty", "2000"], { env })
  address = /listening on (\S+);/.exec((await node.line(/listening on/)).text)![1]!
  const read = (name: string) => readFileSync(join(dir, name), "utf8").trim()
  credentials = { MINER_AUTH_TOKEN: read("miner-auth-token"), MINER_TLS_CERT_SHA256: read("miner-tls-cert-sha256") }
})

afterAll(async () => {
  await node?.stop()
  rmSync(directory, { recursive: true, force: true })
})

for (const artefact of ARTEFACTS) {
  const { name, by, missing, engines, emulated, notices, command } = artefact
  const title = `${name} on ${by}${missing ? ` (skipped: needs ${missing})` : ""}`
  describe.skipIf(missing !== undefined)(title, () => {
    function run(args: string[], input = "") {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...command(), ...args], { env, stdin: Buffer.from(input) })
      const complaints = stderr.toString()
      if (notices) for (const [notice] of complaints.matchAll(notices)) console.warn(`note: ${args}: ${notice.trim()}`)
      return { exitCode, stdout: stdout.toString(), stderr: notices ? complaints.replace(notices, "") : complaints }
    }

    test("--version", () => {
      const { exitCode, stdout, stderr } = run(["--version"])
      expect(`${exitCode} ${stdout}${stderr}`.trim()).toBe(`0 quantus-miner ${packageJson.version}`)
    })

    test.each(["reference", ...engines])("%s computes every vector", engine => {
      const { exitCode, stdout, stderr } = run(["hash", "--engine", engine], vectors)
      expect(`${exitCode} ${stderr}`).toBe("0 ")
      const found = stdout.trim().split("\n")
      expect(found.map(line => (JSON.parse(line) as { hash: string }).hash)).toEqual(hashes)
    })

    const others = emulated ? [] : Object.keys(KERNELS).filter(engine => !engines.includes(engine))
    test.each(others)("%s refuses", engine => {
      const { exitCode, stderr } = run(["hash", "--engine", engine], vectors)
      expect(stderr).toContain("cannot run on this machine")
      expect(exitCode).toBe(ExitCode.selfTest)
    })

    test("demo ends with five accepted seals", () => {
      const { exitCode, stdout, stderr } = run(["demo", "--difficulty", "2000", "--workers", "1", "--gpu-devices", "0"])
      expect(`${stdout}${stderr}`).toContain("5 seals accepted")
      expect(exitCode).toBe(0)
    })

    test("serve seals a node's jobs, exports metrics and stops at Ctrl-C", async () => {
      const args = ["serve", "--node-addr", address, "--workers", "1", "--gpu-devices", "0", "--metrics-port", "0"]
      const miner = new LoggedProcess([...command(), ...args], { env: { ...env, ...credentials } })
      try {
        const [, url] = /serving (http:\S+?)\/? /.exec((await miner.line(/serving http/)).text)!
        await miner.line(/seal of \S+ .*was sent/)
        const text = async (path: string) => (await fetch(`${url}${path}`)).text()
        expect(await text("/metrics")).toMatch(new RegExp(`^miner_build_info{.*${packageJson.version}.*} 1$`, "m"))
        expect((await fetch(`${url}/-/ready`)).status).toBe(200)
        const signalled = performance.now()
        miner.kill("SIGINT")
        expect(await miner.ended).toBe(0)
        expect(performance.now() - signalled).toBeLessThan(10_000)
        expect(miner.text).toContain("stopped after")
      } finally {
        miner.kill("SIGKILL")
      }
    })
  })
}

const emulator = Bun.which("qemu-x86_64-static") ?? Bun.which("qemu-x86_64")
const lacks = emulator === null ? " (skipped: needs qemu-x86_64)" : ""

test.skipIf(emulator === null)(`linux-x64 says that an x64 CPU without SSE4.2 is too old${lacks}`, () => {
  const { exitCode, stderr } = Bun.spawnSync([emulator!, "-cpu", "Penryn", unpack("linux-x64"), "--version"], { env })
  expect(stderr.toString()).toBe("quantus-miner needs a CPU with SSE4.2 (from 2008 on)\n")
  expect(exitCode).toBe(ExitCode.selfTest)
})
