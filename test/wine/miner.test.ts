/** The executable for Windows, under Wine. */
import { beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { version } from "../../package.json" with { type: "json" }
import { FALLBACK_OF, KERNELS } from "../../src/engines/cpu/kernels.ts"
import { freeTcpPort, freeUdpPort } from "../support/free-port.ts"
import { refusalOf } from "../support/kernels.ts"
import { ROOT, runWine, startWine, windowsExecutable } from "./wine.ts"

const ENGINES = Object.keys(KERNELS).filter(kernel => refusalOf(kernel) === undefined)
const NATIVE = ENGINES.filter(engine => !engine.startsWith("wasm"))
/** Native engines that are measured: not those that stand in for one that runs. */
const MEASURED = NATIVE.filter(engine => !NATIVE.includes(FALLBACK_OF[engine] ?? ""))

let miner = ""
beforeAll(async () => {
  miner = await windowsExecutable()
})

test("prints its version", () => {
  const { code, out } = runWine(miner, ["--version"])
  expect({ code, out }).toEqual({ code: 0, out: `quantus-miner ${version}\n` })
})

test.each(ENGINES)("computes the vectors with %s", engine => {
  const vectors = readFileSync(join(ROOT, "test/vectors/nonce-hash.jsonl"), "utf8").trim().split("\n")
  const questions = vectors.map(line => JSON.parse(line) as { header: string; nonce: string; hash: string })
  const input = questions.map(({ header, nonce }) => `${JSON.stringify({ header, nonce })}\n`).join("")
  const { code, out } = runWine(miner, ["hash", "--engine", engine], { input })
  expect(code).toBe(0)
  expect(out.trim().split("\n")).toEqual(questions.map(({ hash }) => JSON.stringify({ hash })))
})

test("measures all native engines and mines with the fastest, without a warning", () => {
  const { code, out, err } = runWine(miner, ["benchmark", "--duration", "1", "--recalibrate"])
  expect(code).toBe(0)
  expect(out).toMatch(/^Average rate: /m)
  expect(err).not.toMatch(/\[(warn|error)\]/)
  for (const engine of MEASURED) expect(err).toMatch(new RegExp(`\\b${engine} [\\d.]+ MH/s`))
})

test("binds workers to CPUs when it is asked to", () => {
  const args = ["benchmark", "--duration", "1", "--engine", ENGINES[0]!, "--cpu-workers", "1", "--cpu-affinity", "0"]
  const { code, err } = runWine(miner, args)
  expect(code).toBe(0)
  expect(err).not.toMatch(/\[(warn|error)\]/)
})

test("mines the demo's five seals", () => {
  const { code, err } = runWine(miner, ["demo", "--seals", "5"])
  expect(err).toMatch(/demo finished: 5 seals accepted/)
  expect(code).toBe(0)
})

describe("serve", () => {
  test("mines for a node, serves metrics, and ends in order on Ctrl-C", async () => {
    const [nodePort, metricsPort] = [await freeUdpPort(), freeTcpPort()]
    const directory = mkdtempSync(join(tmpdir(), "quantus-wine-"))
    const node = startWine(miner, ["node", "--port", `${nodePort}`, "--difficulty", "10000", "--dir", directory])
    const mining: ReturnType<typeof startWine>[] = []
    try {
      const { text } = await node.line(/quantus-miner serve /)
      const serve = text.slice(text.indexOf("serve ")).trim().split(" ")
      const process = startWine(miner, [...serve, "--metrics-port", `${metricsPort}`])
      mining.push(process)
      await process.line(/was sent to/)
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      expect(metrics).toMatch(/^process_cpu_seconds_total \d/m)
      expect(metrics).toMatch(/^process_resident_memory_bytes [1-9]/m)
      expect(metrics).toMatch(/^miner_hashes_total\S* [1-9]/m)
      process.kill("SIGINT")
      expect(await process.ended).toBe(0)
      expect(process.text).toMatch(/stopped after .* hashes and \d+ seals?/)
    } finally {
      await Promise.all([...mining, node].map(each => each.stop()))
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
