/** The Helm chart and the Kustomize base, rendered and validated without a cluster. */
import { describe, expect, test } from "bun:test"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { resolveConfig } from "../../src/config/config.ts"
import type { Files } from "../../src/config/files.ts"
import { OPTION_NAMES, variablesOf } from "../../src/config/options.ts"
import { lacking, ROOT, run } from "./tools.ts"

const CHART = join(ROOT, "deploy/helm")
const KUSTOMIZE = join(ROOT, "deploy/kustomize")
const EXAMPLES = readdirSync(join(CHART, "examples"))
const VERSIONS = ["1.30.0", "1.34.0", "1.37.0"]
/** Values that render, to which a test adds. */
const NODE = ["--values", join(CHART, "examples/node.yaml")]

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  // biome-ignore lint/suspicious/noExplicitAny: the schemas check the types.
  readonly spec: any
}

const template = (args: readonly string[], version = "1.34.0") =>
  run("helm", ["template", "miner", CHART, "--kube-version", version, ...args])

const exampleFile = (example: string) => ["--values", join(CHART, "examples", example)]

const parse = (yaml: string): readonly Manifest[] =>
  ([Bun.YAML.parse(yaml)].flat() as (Manifest | null)[]).filter(manifest => manifest !== null)

/** The manifests of a rendering by kind. */
function rendered(...args: readonly string[]): ReadonlyMap<string, Manifest> {
  const { exitCode, stdout, stderr } = template(args)
  expect(`${exitCode} ${exitCode === 0 ? "" : stderr}`).toBe("0 ")
  return new Map(parse(stdout).map(manifest => [manifest.kind, manifest]))
}

const podOf = (manifests: ReadonlyMap<string, Manifest>) =>
  (manifests.get("DaemonSet") ?? manifests.get("Deployment"))!.spec.template.spec

interface Variable {
  readonly name: string
  readonly value?: string
}
const variablesIn = (manifests: ReadonlyMap<string, Manifest>): readonly Variable[] =>
  podOf(manifests).containers[0].env
const variable = (manifests: ReadonlyMap<string, Manifest>, name: string) =>
  variablesIn(manifests).find(one => one.name === name)?.value

/** The projected volume of secrets. */
const mounted: Files = {
  read: path => (path.endsWith("/pin") ? "00".repeat(32) : "0123456789abcdef0123456789abcdef"),
  mode: () => 0o440,
  isReadOnly: () => true,
  isRereadable: () => true,
  isDirectory: () => false,
  list: () => [],
}

const noHelm = lacking("helm")

describe.skipIf(noHelm !== "")(`the chart${noHelm}`, () => {
  test("has the miner's version", () => {
    const chart = Bun.YAML.parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"))
    expect(chart).toMatchObject({ version: packageJson.version, appVersion: packageJson.version })
  })

  test("has six files of values", () => {
    expect(EXAMPLES).toHaveLength(6)
  })

  test.each(EXAMPLES)("passes lint with %s", example => {
    const { exitCode, stdout } = run("helm", [
      "lint",
      CHART,
      "--strict",
      "--kube-version",
      "1.34.0",
      ...exampleFile(example),
    ])
    expect(`${exitCode} ${exitCode === 0 ? "" : stdout}`).toBe("0 ")
  })

  test.each(EXAMPLES)("gives the miner only variables that it knows, with %s", example => {
    const known = OPTION_NAMES.flatMap(variablesOf) as string[]
    const names = variablesIn(rendered(...exampleFile(example))).map(({ name }) => name)
    expect(names.filter(name => name.startsWith("MINER_") && !known.includes(name))).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })

  test.each(EXAMPLES)(
    "is a configuration that the miner and its probe accept without a warning, with %s",
    async example => {
      const variables = variablesIn(rendered(...exampleFile(example)))
      // What comes from the pod's fields and from Secrets.
      const given: Record<string, string> = { MINER_NAME: "machine-7", MINER_LOGIN: "address.{name}" }
      const env = Object.fromEntries(variables.map(({ name, value }) => [name, value ?? given[name]]))
      const serve = await resolveConfig("serve", [], env, mounted)
      expect(serve.notes.filter(({ level }) => level === "warn")).toEqual([])
      expect(serve.sources.length).toBe((env["MINER_URL"] ?? "node").split(",").length)
      expect((await resolveConfig("health", [], env, mounted)).settings.metricsPort).toBe(9900)
    },
  )

  test.each(EXAMPLES)("is confined, with %s", example => {
    const pod = podOf(rendered(...exampleFile(example)))
    expect(pod).toMatchObject({
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    })
  })

  test("gives whole CPUs as request and limit, and a worker to each", () => {
    const manifests = rendered(...exampleFile("dedicated.yaml"))
    const [{ resources }] = podOf(manifests).containers
    expect(resources.limits).toEqual({ cpu: "15", memory: "2Gi" })
    expect(resources.requests).toEqual(resources.limits)
    expect(variable(manifests, "MINER_CPU_WORKERS")).toBe("15")
  })

  test("opens GPUs only where they are asked for", () => {
    expect(variable(rendered(...NODE), "MINER_GPU_DEVICES")).toBe("0")
    const manifests = rendered(...exampleFile("gpu.yaml"))
    expect(variable(manifests, "MINER_GPU_DEVICES")).toBeUndefined()
    expect(variable(manifests, "MINER_CPU_WORKERS")).toBe("0")
    expect(podOf(manifests).containers[0].resources.limits).toMatchObject({ "nvidia.com/gpu": "2" })
  })

  test("reads every secret from the file that it mounts", () => {
    const manifests = rendered(...exampleFile("dedicated.yaml"))
    const { volumes, containers } = podOf(manifests)
    const { mountPath } = containers[0].volumeMounts.find(({ name }: Variable) => name === "secrets")
    const { sources, defaultMode } = volumes.find(({ name }: Variable) => name === "secrets").projected
    const mounted = sources.flatMap((source: { secret: { items: { path: string }[] } }) => source.secret.items)
    const read = variablesIn(manifests).filter(({ name }) => name.endsWith("_FILE"))
    expect(read.map(({ value }) => value).sort()).toEqual(
      mounted.map(({ path }: { path: string }) => `${mountPath}/${path}`).sort(),
    )
    expect(defaultMode).toBe(0o440)
  })

  test("updates one machine at a time", () => {
    const rollingUpdate = { maxUnavailable: 1 }
    expect(rendered(...NODE).get("DaemonSet")!.spec.updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate })
    const { strategy, replicas } = rendered(...exampleFile("deployment.yaml")).get("Deployment")!.spec
    expect(strategy).toEqual({ type: "RollingUpdate", rollingUpdate: { ...rollingUpdate, maxSurge: 0 } })
    expect(replicas).toBe(20)
  })

  test("leaves ten seconds to stop after the hook", () => {
    expect(podOf(rendered(...NODE)).terminationGracePeriodSeconds).toBe(10)
    const pod = podOf(rendered(...exampleFile("dedicated.yaml")))
    expect(pod.containers[0].lifecycle.preStop.sleep.seconds).toBe(5)
    expect(pod.terminationGracePeriodSeconds).toBe(15)
  })

  test("lets out names and the ports of the sources only", () => {
    const ports = (example: string) =>
      rendered(...exampleFile(example))
        .get("NetworkPolicy")!
        .spec.egress.flatMap((rule: { ports: { port: number; protocol: string }[] }) => rule.ports)
        .map(({ port, protocol }: { port: number; protocol: string }) => `${protocol} ${port}`)
    expect(ports("dedicated.yaml")).toEqual(["UDP 53", "TCP 53", "UDP 9833", "TCP 4433"])
    expect(ports("pool.yaml")).toEqual(["UDP 53", "TCP 53", "TCP 4433", "TCP 3333"])
    expect(ports("deployment.yaml")).toEqual(["UDP 53", "TCP 53", "UDP 9833"])
  })

  test("is scraped as the job that the alert rules select", () => {
    const manifests = rendered(...exampleFile("dedicated.yaml"))
    const monitor = manifests.get("PodMonitor")!.spec
    const { labels } = manifests.get("DaemonSet")!.spec.template.metadata
    expect(labels).toMatchObject(monitor.selector.matchLabels)
    const [endpoint] = monitor.podMetricsEndpoints
    expect(podOf(manifests).containers[0].ports.map(({ name }: Variable) => name)).toContain(endpoint.port)
    expect(endpoint.relabelings[0]).toEqual({ targetLabel: "job", replacement: "quantus-miner" })
    const alerts = Bun.YAML.parse(readFileSync(join(ROOT, "systemd/prometheus/alerts.yml"), "utf8"))
    expect(manifests.get("PrometheusRule")!.spec as unknown).toEqual(alerts)
  })

  test.each([
    [["node="], "There is no source of jobs"],
    [["urls={quic://a:1}"], "node and urls exclude each other"],
    [["node=,urls={http://a:1}"], '"http://a:1" in urls is not quic://HOST:PORT'],
    [["node=,urls={stratum+tls://a:1}"], "login.secret is missing: the pool stratum+tls://a:1"],
    [["token.secret="], "token.secret is missing"],
    [["pin.secret="], "pin.secret is missing"],
    [["node=,urls={quic://a:1},pin.secret="], "pin.secret is missing"],
    [["image.repository="], "image.repository is missing"],
    [["kind=StatefulSet"], 'kind is DaemonSet or Deployment, not "StatefulSet"'],
    [["cpus=2.5"], "cpus is 2.5, but"],
    [["cpus=500m"], "cpus is 500m, but"],
    [["cpuWorkers=0"], "Nothing would mine"],
    [["settings.MINER_AUTH_TOKEN=x"], "settings.MINER_AUTH_TOKEN would stand in the pod's specification"],
    [["settings.MINER_CPU_WORKERS=2"], "settings.MINER_CPU_WORKERS is a variable that the chart sets"],
    [["settings.PATH=x"], "settings.PATH is not an option of the miner"],
    [["hostNetwork=true"], "hostNetwork: true leaves the network policy without effect"],
    [["nod=a:1"], "additional properties 'nod' not allowed"],
  ])("refuses %p with a sentence", (values, sentence) => {
    const { exitCode, stderr } = template([...NODE, ...values.flatMap(value => ["--set", value])])
    expect(stderr).toContain(sentence)
    expect(exitCode).toBe(1)
  })
})

const noValidator = lacking("helm", "kubernetes-validate")

describe.skipIf(noValidator !== "")(`Kubernetes' schemas${noValidator}`, () => {
  /** Validates the kinds that Kubernetes itself defines. */
  function validate(yaml: string, version: string): string {
    const own = yaml.split(/^---$/m).filter(text => !text.includes("monitoring.coreos.com"))
    const { exitCode, stdout, stderr } = run("kubernetes-validate", ["--strict", "-k", version, "-"], {
      stdin: own.join("---"),
    })
    return `${exitCode} ${stdout}${stderr}`
  }

  describe.each(VERSIONS)("of %s", version => {
    test.each(EXAMPLES)("accept %s", example => {
      const { stdout } = template(exampleFile(example), version)
      const result = validate(stdout, version)
      expect(result).toMatch(/^0 .*passed for resource \w+\/miner/)
      expect(result).not.toMatch(/ERROR|WARN/)
    })

    test("refuse an unknown field", () => {
      const { stdout } = template(NODE, version)
      expect(validate(stdout.replace("enableServiceLinks", "enableServiceLink"), version)).toMatch(/^1 .*ERROR/s)
    })
  })
})

const noKustomize = lacking("helm", "kustomize")

describe.skipIf(noKustomize !== "")(`the Kustomize base${noKustomize}`, () => {
  const build = (folder: string) => {
    const { exitCode, stdout, stderr } = run("kustomize", ["build", folder])
    expect(`${exitCode} ${exitCode === 0 ? "" : stderr}`).toBe("0 ")
    return parse(stdout)
  }
  const sorted = (manifests: readonly Manifest[]) => manifests.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))

  test("is what the chart's templates render", () => {
    const values = ["--values", join(KUSTOMIZE, "values.yaml")]
    const { stdout } = run("helm", ["template", "quantus-miner", CHART, "--kube-version", "1.34.0", ...values])
    expect(readFileSync(join(KUSTOMIZE, "base/quantus-miner.yaml"), "utf8")).toBe(stdout)
    expect(sorted(build(join(KUSTOMIZE, "base")))).toEqual(sorted(parse(stdout)))
  })

  test("takes an image, a node and a secret from an overlay", () => {
    const folder = mkdtempSync(join(tmpdir(), "quantus-kustomize-"))
    try {
      cpSync(KUSTOMIZE, folder, { recursive: true })
      for (const name of ["miner-auth-token", "miner-tls-cert-sha256"]) {
        writeFileSync(join(folder, "example", name), "x")
      }
      const manifests = new Map(build(join(folder, "example")).map(manifest => [manifest.kind, manifest]))
      const pod = podOf(manifests)
      expect(pod.containers[0].image).toBe(`registry.example/quantus-miner:${packageJson.version}`)
      expect(variable(manifests, "MINER_NODE_ADDR")).toBe("192.0.2.7:9833")
      const secret = manifests.get("Secret")!.metadata.name
      const { sources } = pod.volumes.find(({ name }: Variable) => name === "secrets").projected
      expect(sources.map((source: { secret: { name: string } }) => source.secret.name)).toEqual([secret, secret])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
