/** `deploy/container/compose.yaml`, in a network namespace of the test; the development node stands for the node. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { RELEASE } from "./artefacts.ts"

const ROOT = join(import.meta.dir, "../..")
const IMAGE = `localhost/quantus-miner:${packageJson.version}`
const NODE_IMAGE = "localhost/stand-in-node"
const PATIENCE_MS = 120_000

const tools = ["podman", "runc", "python3", "curl", "ip", "iptables", "nsenter", "unshare"]
const missing = tools.find(tool => !Bun.which(tool)) ?? (process.getuid!() === 0 ? undefined : "root")

describe.skipIf(missing !== undefined)(`compose.yaml${missing ? ` (skipped: needs ${missing})` : ""}`, () => {
  let directory = ""
  let network: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined
  let compose: readonly string[] = []

  /** Runs a command in the network namespace, with a dedicated store and settings. */
  function run(...command: string[]): { exitCode: number; output: string } {
    const { PATH } = process.env
    const { exitCode, stdout, stderr } = Bun.spawnSync(["nsenter", `--net=/proc/${network!.pid}/ns/net`, ...command], {
      env: {
        PATH,
        HOME: directory,
        CONTAINERS_STORAGE_CONF: join(directory, "storage.conf"),
        CONTAINERS_CONF: join(directory, "containers.conf"),
        NODE_IMAGE,
        MINER_IMAGE: IMAGE,
      },
    })
    return { exitCode, output: `${stdout}${stderr}`.trim() }
  }

  function succeed(...command: string[]): string {
    const { exitCode, output } = run(...command)
    expect(`${exitCode} ${exitCode === 0 ? "" : output}`).toBe("0 ")
    return output
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "quantus-compose-"))
    const write = (name: string, ...lines: string[]) => writeFileSync(join(directory, name), `${lines.join("\n")}\n`)
    const stores = [`graphroot = "${directory}/root"`, `runroot = "${directory}/run"`]
    write("storage.conf", "[storage]", 'driver = "vfs"', ...stores)
    write(
      "containers.conf",
      "[containers]",
      // Limits below those of this process, which a container must not raise.
      'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]',
      "[engine]",
      'cgroup_manager = "cgroupfs"',
      'runtime = "runc"',
      "[network]",
      'network_backend = "netavark"',
      `network_config_dir = "${directory}/networks"`,
    )
    // The node's image owns its data; the development node replaces its command.
    mkdirSync(join(directory, "data"))
    write("Containerfile", `FROM ${IMAGE}`, "COPY --chown=10001:10001 data /data")
    write("node.yaml", "services:", "  node:", "    command: node --host 0.0.0.0 --dir /data/chains/quantus")
    const script = Bun.spawnSync([join(ROOT, "scripts/podman-compose.sh")])
    expect(`${script.exitCode} ${script.stderr}`).toBe("0 ")
    const files = [join(ROOT, "deploy/container/compose.yaml"), join(directory, "node.yaml")]
    compose = [
      "python3",
      `${script.stdout}`.trim(),
      "--project-name",
      "quantus",
      ...files.flatMap(file => ["-f", file]),
    ]
    // Its first output shows that the namespace is the new one.
    const inside = "ip link set lo up && echo up && exec sleep infinity"
    network = Bun.spawn(["unshare", "--net", "sh", "-c", inside], { stdio: ["ignore", "pipe", "inherit"] })
    expect((await network.stdout.getReader().read()).done).toBe(false)
  })
  afterAll(async () => {
    run(...compose, "down", "--volumes")
    run("podman", "rm", "--all", "--force")
    run("podman", "rmi", "--all", "--force")
    network?.kill("SIGKILL")
    await network?.exited
    rmSync(directory, { recursive: true, force: true })
  })

  test("node and miner come up", () => {
    const archive = readdirSync(RELEASE).find(name => name.endsWith("-oci.tar"))!
    succeed("podman", "load", "--quiet", "--input", join(RELEASE, archive))
    succeed("podman", "build", "--quiet", "--tag", NODE_IMAGE, "--file", join(directory, "Containerfile"), directory)
    succeed(...compose, "up", "--detach")
  })

  test("the miner reads token and pin from the node's volume, mines, and passes its health check", async () => {
    const health = () => run("podman", "healthcheck", "run", "quantus_miner_1")
    const end = performance.now() + PATIENCE_MS
    while (health().exitCode !== 0 && performance.now() < end) await Bun.sleep(500)
    expect(health()).toMatchObject({ exitCode: 0 })
    const sent = () => run("podman", "logs", "quantus_miner_1").output.includes("was sent to quic://node:9833")
    while (!sent() && performance.now() < end) await Bun.sleep(500)
    expect(sent()).toBe(true)
  })

  test("the metrics are published on this machine's loopback", () => {
    expect(succeed("curl", "--silent", "http://127.0.0.1:9900/-/ready")).toBe("ready")
  })

  test("the miner cannot write its root or gain rights", () => {
    const format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.HostConfig.SecurityOpt}}"
    expect(succeed("podman", "inspect", "--format", format, "quantus_miner_1")).toBe(
      "10001 true [] [no-new-privileges]",
    )
  })

  test("it ends in order", () => {
    const started = performance.now()
    succeed(...compose, "stop", "miner")
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(succeed("podman", "inspect", "--format", "{{.State.ExitCode}}", "quantus_miner_1")).toBe("0")
    expect(succeed("podman", "logs", "quantus_miner_1")).toContain("stopped after")
  })
})
