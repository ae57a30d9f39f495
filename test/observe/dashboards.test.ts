import { describe, expect, test } from "bun:test"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { createExposition } from "../../src/observe/exposition.ts"
import { Bench } from "./support.ts"

const SYSTEMD = `${import.meta.dir}/../../systemd`
const FLEET = `${import.meta.dir}/../../deploy/prometheus`
/** Rule files and their tests. */
const RULES = [
  [`${SYSTEMD}/prometheus/alerts.yml`, `${SYSTEMD}/prometheus/alerts.test.yml`],
  [`${FLEET}/fleet.yml`, `${FLEET}/fleet.test.yml`],
] as const
const promtool = Bun.which("promtool")

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: object }[]
}

interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
}

/** Names of all series that the miner exports, with suffixes for histograms. */
async function knownNames(): Promise<Set<string>> {
  const text = await createExposition(new Bench().stats, "prometheus").render()
  const names = new Set(["up"])
  for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    for (const suffix of type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]) names.add(name + suffix)
  }
  return names
}

/** Names of the series in an expression, recorded ones included. */
function namesIn(expr: string): string[] {
  return expr.match(/\b(?:job_[a-z_]+:[a-z0-9_:]+|(?:miner|process)_[a-z0-9_]+|up)\b/g) ?? []
}

async function rulesIn(file: string): Promise<readonly Rule[]> {
  return (Bun.YAML.parse(await Bun.file(file).text()) as RuleFile).groups.flatMap(group => group.rules)
}

/** Names of all series that the miner exports or the fleet's rules record. */
async function queryable(): Promise<Set<string>> {
  const recorded = (await rulesIn(`${FLEET}/fleet.yml`)).flatMap(({ record = [] }) => record)
  return (await knownNames()).union(new Set(recorded))
}

/** Replaces Grafana's variables by values. */
function filledIn(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "6h").replace(/\$\w+/g, "x")
}

describe.each(["host", "fleet"])("the %s dashboard", name => {
  const load = async (): Promise<Dashboard> => Bun.file(`${SYSTEMD}/grafana/${name}.json`).json()
  const targets = async () =>
    (await load()).panels.flatMap(({ title, targets = [] }) => targets.map(t => ({ title, ...t })))

  test("has a selectable data source and panels that do not overlap", async () => {
    const { uid, templating, panels } = await load()
    expect(uid).toBe(`quantus-miner-${name}`)
    expect(templating.list[0]).toMatchObject({ name: "datasource", type: "datasource" })
    expect(new Set(panels.map(panel => panel.id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken).not.toContain(`${x},${y}`)
          taken.add(`${x},${y}`)
        }
      }
    }
  })

  test("queries only series that the miner exports or rules record", async () => {
    const known = await queryable()
    const all = await targets()
    expect(all.length).toBeGreaterThan(20)
    for (const { expr, datasource } of all) {
      expect(datasource).toEqual({ type: "prometheus", uid: `\${datasource}` })
      expect(namesIn(expr).length).toBeGreaterThan(0)
      for (const series of namesIn(expr)) expect(known).toContain(series)
    }
  })

  test.skipIf(!promtool)("has valid expressions (skipped without promtool)", async () => {
    const rules = (await targets()).map(({ expr }, index) => ({ record: `panel:${index}`, expr: filledIn(expr) }))
    const file = `${await mkdtemp(`${tmpdir()}/dashboards-`)}/rules.yml`
    await Bun.write(file, JSON.stringify({ groups: [{ name: "panels", rules }] }))
    expect(run("check", "rules", "--lint=none", file)).toContain(`SUCCESS: ${rules.length} rules found`)
  })
})

test("the two dashboards show every series that the miner exports", async () => {
  const shown = new Set<string>()
  for (const name of ["host", "fleet"]) {
    for (const series of namesIn(await Bun.file(`${SYSTEMD}/grafana/${name}.json`).text())) shown.add(series)
  }
  const aside = /_(sum|count)$|^up$|^process_max_fds$|^miner_(active_jobs|hashes_total|thread_hashes_total)$/
  for (const name of await knownNames()) if (!aside.test(name)) expect(shown).toContain(name)
})

test("the documents name only series that the miner exports or rules record", async () => {
  const known = await queryable()
  for (const name of [...known]) known.add(name.replace(/_(bucket|sum|count)$/, ""))
  const texts = ["README.md", "docs/metrics.md"].map(path => Bun.file(`${SYSTEMD}/../${path}`).text())
  const named = namesIn((await Promise.all(texts)).join("\n")).filter(name => !name.endsWith("_"))
  for (const name of named) expect(known).toContain(name)
})

test("docs/metrics.md names every series that the miner exports", async () => {
  const named = new Set(namesIn(await Bun.file(`${SYSTEMD}/../docs/metrics.md`).text()))
  const exported = [...(await knownNames())].filter(name => !name.startsWith("process_") && name !== "up")
  for (const name of exported) expect(named).toContain(name.replace(/_(bucket|sum|count)$/, ""))
})

describe.each(RULES)("the rules in %s", (file, testFile) => {
  test("query only series that the miner exports or rules record", async () => {
    const known = await queryable()
    const rules = await rulesIn(file)
    expect(rules.length).toBeGreaterThanOrEqual(7)
    for (const { expr } of rules) for (const series of namesIn(expr)) expect(known).toContain(series)
  })

  test.skipIf(!promtool)("pass promtool check rules (skipped without promtool)", () => {
    expect(run("check", "rules", file)).toContain("SUCCESS")
  })

  test.skipIf(!promtool)(
    "pass promtool test rules (skipped without promtool)",
    () => {
      expect(run("test", "rules", testFile)).toContain("SUCCESS")
    },
    60_000,
  )

  test("each have a unit test", async () => {
    const tests = await Bun.file(testFile).text()
    for (const { alert, record } of await rulesIn(file)) {
      expect(tests).toContain(record === undefined ? `alertname: ${alert}\n` : record)
    }
  })
})

describe("the discovery examples", () => {
  const configurations = [...new Bun.Glob("*.yml").scanSync(FLEET)].filter(name => !name.startsWith("fleet."))

  test("cover files, DNS, Kubernetes and EC2", () => {
    expect(configurations.sort()).toEqual(["dns.yml", "ec2.yml", "file.yml", "kubernetes.yml"])
  })

  test.skipIf(!promtool)(
    "pass promtool check config, with every file they name (skipped without promtool)",
    async () => {
      const root = await mkdtemp(`${tmpdir()}/discovery-`)
      await cp(FLEET, root, { recursive: true })
      await cp(`${SYSTEMD}/prometheus/alerts.yml`, `${root}/alerts.yml`)
      for (const name of ["miner-metrics-token", "miner-ca.pem"]) await Bun.write(`${root}/${name}`, "")
      for (const name of configurations) {
        const text = await Bun.file(`${FLEET}/${name}`).text()
        await Bun.write(`${root}/${name}`, JSON.stringify(supported(text.replaceAll("/etc/prometheus", root))))
        expect(run("check", "config", `${root}/${name}`)).toContain("SUCCESS: 2 rule files found")
      }
      await rm(root, { recursive: true })
    },
  )
})

/** A configuration without discoveries that this promtool was built without, as Debian's is without Kubernetes. */
function supported(text: string): object {
  const configuration = Bun.YAML.parse(text) as { scrape_configs: Record<string, unknown>[] }
  for (const scrape of configuration.scrape_configs) {
    for (const key of Object.keys(scrape)) if (key.endsWith("_sd_configs") && !knows(key)) delete scrape[key]
  }
  return configuration
}

function knows(discovery: string): boolean {
  const probe = `scrape_configs: [{ job_name: probe, ${discovery}: [] }]`
  const { stdout, stderr } = Bun.spawnSync([promtool!, "check", "config", "/dev/stdin"], { stdin: Buffer.from(probe) })
  return !`${stdout}${stderr}`.includes(`field ${discovery} not found`)
}

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[]
}

/** Runs promtool; its output fails the test if promtool fails. */
function run(...args: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([promtool!, ...args])
  const said = `${stdout}${stderr}`
  if (exitCode !== 0) throw new Error(said)
  return said
}
