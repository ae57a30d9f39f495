import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { OPTION_NAMES, variablesOf } from "../../../src/config/options.ts"

const folder = join(import.meta.dir, "../../../deploy/container")
const read = (name: string) => readFileSync(join(folder, name), "utf8")
const variables = new Set(OPTION_NAMES.flatMap(variablesOf))

interface Service {
  readonly environment: Readonly<Record<string, string>>
  readonly healthcheck: { readonly test: readonly string[] }
  readonly volumes: readonly string[]
}

test("compose.yaml: the miner reads what the node writes, by variables that exist, and is probed by health", () => {
  const { services } = Bun.YAML.parse(read("compose.yaml")) as { services: { miner: Service; node: Service } }
  const { environment, healthcheck, volumes } = services.miner
  for (const name of Object.keys(environment)) expect(variables).toContain(name)
  expect(healthcheck.test).toEqual(["CMD", "/usr/bin/quantus-miner", "health"])
  expect(services.node.volumes).toEqual(["chain:/data"])
  expect(volumes[0]).toBe("chain:/node:ro")
  for (const name of ["MINER_AUTH_TOKEN_FILE", "MINER_TLS_CERT_SHA256_FILE"])
    expect(environment[name]).toStartWith("/node/chains/")
})

test("the Quadlet uses variables that exist and the unit's exit codes", () => {
  const quadlet = read("quantus-miner.container")
  const names = [...quadlet.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name!)
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) expect(variables).toContain(name)
  const unit = readFileSync(join(folder, "../../systemd/quantus-miner.service"), "utf8")
  const codes = (text: string) => /^RestartPreventExitStatus=(.*)$/m.exec(text)![1]
  expect(codes(quadlet)).toBe(codes(unit))
})
