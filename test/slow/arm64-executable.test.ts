/** The executable for arm64 with each engine. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../scripts/bundle.ts"
import { lockedPackages, runtimeFor } from "../../scripts/release/runtimes.ts"
import { TARGETS } from "../../scripts/release/targets.ts"
import { RECIPES } from "../../src/kernel/arm64/targets.ts"
import { arm64Command, output, arm64Missing as why } from "./arm64-root.ts"

const ROOT = join(import.meta.dir, "../..")
const vectors = readFileSync(join(ROOT, "test/vectors/nonce-hash.jsonl"), "utf8").trim()
const env = { HOME: "/dev/null" }

describe.skipIf(why !== undefined)(`the arm64 executable${why ? ` (${why})` : ""}`, () => {
  let directory = ""
  let executable = ""

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "quantus-arm64-"))
    const target = TARGETS.find(({ name }) => name === "linux-arm64")!
    const runtime = runtimeFor(
      target,
      lockedPackages(ROOT).get(target.runtimePackage)!,
      join(ROOT, "node_modules/.cache/release"),
    )
    const foreign = { target: target.bun, runtime }
    executable = await bundle({ outfile: join(directory, "quantus-miner"), bytecode: false, foreign })
  }, 300_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const run = (args: readonly string[], input = "") => output([...arm64Command(executable), ...args], { env, input })

  describe.each(Object.keys(RECIPES))("with %s", engine => {
    test("hashes every vector", async () => {
      const { out } = await run(["hash", "--engine", engine], `${vectors}\n`)
      const hash = (line: string) => (JSON.parse(line) as { hash: string }).hash
      expect(out.trim().split("\n").map(hash)).toEqual(vectors.split("\n").map(hash))
    })

    test("benchmarks", async () => {
      const args = ["--engine", engine, "--cpu-workers", "1", "--gpu-devices", "0", "--duration", "2"]
      const { out } = await run(["benchmark", ...args, "--json"])
      expect(JSON.parse(out)).toMatchObject({ engine })
    })

    test("mines for a node", async () => {
      const args = ["--engine", engine, "--cpu-workers", "1", "--gpu-devices", "0", "--difficulty", "2000"]
      const { out, err } = await run(["demo", ...args])
      expect(`${out}${err}`).toContain("5 seals accepted")
    })
  })
})
