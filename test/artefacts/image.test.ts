/** The container image, run by Podman. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { readTar } from "../../scripts/release/tar.ts"
import { RELEASE } from "./artefacts.ts"

const ROOT = join(import.meta.dir, "../..")
const archive = join(RELEASE, readdirSync(RELEASE).find(name => name.endsWith("-oci.tar"))!)
const image = `localhost/quantus-miner:${packageJson.version}`

const blobs = new Map(readTar(readFileSync(archive)).map(({ path, bytes }) => [path, bytes]))

interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly platform: { readonly architecture: string }
}
interface Document {
  readonly manifests: readonly Descriptor[]
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly rootfs: { readonly diff_ids: readonly string[] }
}
const parse = (path: string): Document => JSON.parse(Buffer.from(blobs.get(path)!).toString())
const blobOf = ({ digest }: Descriptor) => `blobs/${digest.replace(":", "/")}`

test("the layout is complete: every blob has its digest and is referred to, for both architectures", () => {
  for (const [path, bytes] of blobs) {
    if (path.startsWith("blobs/sha256/")) {
      expect(new Bun.CryptoHasher("sha256").update(bytes).digest("hex")).toBe(path.slice("blobs/sha256/".length))
    }
  }
  const index = parse("index.json").manifests[0]!
  const manifests = parse(blobOf(index)).manifests
  expect(manifests.map(entry => entry.platform.architecture)).toEqual(["amd64", "arm64"])
  const referred = new Set([blobOf(index)])
  for (const entry of manifests) {
    const { config, layers } = parse(blobOf(entry))
    for (const part of [entry, config, ...layers]) {
      referred.add(blobOf(part))
      expect(blobs.get(blobOf(part))!.length).toBe(part.size)
    }
    const { rootfs } = parse(blobOf(config))
    const unpacked = layers.map(layer => Bun.gunzipSync(new Uint8Array(blobs.get(blobOf(layer))!)))
    const digests = unpacked.map(tar => new Bun.CryptoHasher("sha256").update(tar).digest("hex"))
    expect(rootfs.diff_ids).toEqual(digests.map(digest => `sha256:${digest}`))
  }
  expect([...blobs.keys()].filter(path => path.startsWith("blobs/")).sort()).toEqual([...referred].sort())
})

const lacks = ["apt-get", "dpkg-deb"].find(tool => !Bun.which(tool))
test.skipIf(lacks !== undefined)(
  `Podman's generator accepts the Quadlet${lacks ? ` (skipped: needs ${lacks})` : ""}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "quantus-quadlet-"))
    try {
      expect(Bun.spawnSync([join(ROOT, "scripts/debian-package.sh"), "amd64", folder, "podman"]).exitCode).toBe(0)
      const { exitCode, stdout, stderr } = Bun.spawnSync([join(folder, "usr/libexec/podman/quadlet"), "-dryrun"], {
        env: { QUADLET_UNIT_DIRS: join(ROOT, "deploy/container") },
      })
      expect(`${exitCode} ${exitCode === 0 ? "" : stderr}`).toBe("0 ")
      expect(stdout.toString()).toMatch(/^ExecStart=.* --health-cmd "\/usr\/bin\/quantus-miner health" .* serve$/m)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)

const missing = ["podman", "runc"].find(tool => !Bun.which(tool)) ?? (process.getuid!() === 0 ? undefined : "root")

describe.skipIf(missing !== undefined)(`podman${missing ? ` (skipped: needs ${missing})` : ""}`, () => {
  let store = ""
  // Limits below those of this process, which a container must not raise.
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
  const mining = ["--node-addr", "127.0.0.1:1", "--auth-token", "x", "--tls-cert-sha256", "00".repeat(32)]
  const few = ["--gpu-devices", "0", "--workers", "1"]

  const podman = (...args: string[]) => {
    const options = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"]
    const stores = ["--root", join(store, "root"), "--runroot", join(store, "run")]
    const { exitCode, stdout, stderr } = Bun.spawnSync(["podman", ...stores, ...options, ...args])
    return { exitCode, output: `${stdout}${stderr}`.trim() }
  }
  const run = (options: string[], ...args: string[]) =>
    podman("run", "--rm", "--network", "none", ...limits, ...options, image, ...args)

  beforeAll(() => {
    store = mkdtempSync(join(tmpdir(), "quantus-podman-"))
    const { exitCode, output } = podman("load", "--quiet", "--input", archive)
    expect(`${exitCode} ${exitCode === 0 ? "" : output}`).toBe("0 ")
  })
  afterAll(() => {
    podman("rm", "--all", "--force")
    podman("rmi", "--all", "--force")
    rmSync(store, { recursive: true, force: true })
  })

  test("runs the released version as an ordinary user", () => {
    expect(run([], "--version")).toEqual({ exitCode: 0, output: `quantus-miner ${packageJson.version}` })
    expect(podman("image", "inspect", "--format", "{{.Config.User}}", image).output).toBe("10001:10001")
  })

  test("mines with a read-only root, as any user", () => {
    const { exitCode, output } = run(["--read-only", "--user", "12345"], "demo", "--difficulty", "1000", ...few)
    expect(output).toContain("5 seals accepted")
    expect(exitCode).toBe(0)
  })

  test.each([
    ["--cpuset-cpus=0", /1 effective CPU of \d+, decided by the cpuset/],
    ["--cpus=1.5", /1 effective CPU of \d+, decided by the quota of 1\.5 CPUs/],
  ])("sees %s", (option, line) => {
    expect(run([option], "benchmark", "--duration", "0.1", ...few).output).toMatch(line)
  })

  test.each(["SIGTERM", "SIGINT"])("answers probes and ends within two seconds of %s", async signal => {
    const server = ["--detach", "--name", signal, "--env", "MINER_METRICS_PORT=9900"]
    const { exitCode, output } = podman(
      "run",
      "--network",
      "none",
      ...limits,
      ...server,
      image,
      "serve",
      ...mining,
      ...few,
    )
    expect(`${exitCode} ${exitCode === 0 ? "" : output}`).toBe("0 ")
    const probe = () => podman("exec", signal, "/usr/bin/quantus-miner", "health")
    const started = performance.now()
    while (!/connected|node|pool|job/.test(probe().output) && performance.now() - started < 60_000) await Bun.sleep(200)
    // The node does not exist, so the miner is not ready and says why.
    expect(probe().exitCode).toBe(1)
    expect(probe().output).not.toContain("cannot be reached")
    const pid = podman("inspect", "--format", "{{.State.Pid}}", signal).output
    podman("kill", "--signal", signal, signal)
    const signalled = performance.now()
    while (existsSync(`/proc/${pid}`)) await Bun.sleep(5)
    expect(performance.now() - signalled).toBeLessThan(2000)
    expect(podman("wait", signal).output).toBe("0")
    expect(podman("logs", signal).output).toContain("stopped after")
  })
})
