/** The Ansible role, run against two machines: copies of this system's root whose services cannot be started. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { lacking, pathOf, ROOT, TOOLS } from "./tools.ts"

const ROLES = join(ROOT, "deploy/ansible/roles")
const TOKEN = "a-token-that-nobody-sees"
const UNIT = "etc/systemd/system/quantus-miner.service.d"

function missing(): string {
  const tool = lacking("ansible-playbook")
  if (tool !== "") return tool
  const command = ["dpkg-deb", "systemctl", "unshare"].find(name => !Bun.which(name))
  if (command !== undefined) return ` (skipped: needs ${command})`
  if (process.getuid!() !== 0) return " (skipped: needs root)"
  const folder = mkdtempSync(join(tmpdir(), "quantus-ansible-"))
  mkdirSync(join(folder, "a"))
  const script = 'chroot "$0/a/root" /usr/bin/python3 -c "import apt"'
  const { exitCode } = inRoots(folder, ["sh", "-c", script, folder])
  rmSync(folder, { recursive: true, force: true })
  return exitCode === 0 ? "" : " (skipped: needs overlay mounts and python3-apt)"
}

function inRoots(folder: string, command: readonly string[]) {
  const script = join(import.meta.dir, "in-roots.sh")
  return Bun.spawnSync(["unshare", "--mount", "--fork", "--kill-child", "sh", script, folder, ...command])
}

const reason = missing()

describe.skipIf(reason !== "")(`the Ansible role${reason}`, () => {
  let folder = ""
  /** What answers for the miner of a machine, and whether it is ready. */
  const servers = new Map<string, ReturnType<typeof Bun.serve>>()
  const unready = new Map<string, number>()
  let asked: string[] = []

  const machines = () => join(folder, "machines")
  const changed = (machine: string, path: string) => join(machines(), machine, "upper", path)
  const read = (machine: string, path: string) => readFileSync(changed(machine, path), "utf8")
  const mode = (machine: string, path: string) => statSync(changed(machine, path)).mode & 0o777

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "quantus-ansible-"))
    for (const machine of ["a", "b"]) {
      mkdirSync(join(machines(), machine), { recursive: true })
      servers.set(machine, Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => answer(machine) }))
    }
    makePackage(join(folder, "quantus-miner_0.1.0_all.deb"), "0.1.0")
    // What a miner of this system would have left.
    const left = ["etc/default/quantus-miner", "etc/quantus-miner", UNIT].map(
      path => `$0/a/root/${path} $0/b/root/${path}`,
    )
    const { exitCode, stderr } = inRoots(machines(), ["sh", "-c", `rm -rf ${left.join(" ")}`, machines()])
    expect(`${exitCode} ${stderr}`).toBe("0 ")
  })
  afterAll(() => {
    for (const server of servers.values()) server.stop(true)
    rmSync(folder, { recursive: true, force: true })
  })

  function answer(machine: string): Response {
    const left = unready.get(machine) ?? 0
    unready.set(machine, left - 1)
    asked.push(`${machine} ${left > 0 ? 503 : 200}`)
    return new Response("", { status: left > 0 ? 503 : 200 })
  }

  interface Variables {
    readonly [name: string]: unknown
  }

  function variables(): Variables {
    return {
      quantus_miner_package: join(folder, "quantus-miner_0.1.0_all.deb"),
      quantus_miner_secrets: { "miner-auth-token": TOKEN, "miner-tls-cert-sha256": "00".repeat(32) },
      quantus_miner_overrides: ["10-shared-hardware.conf"],
      quantus_miner_ready_retries: 3,
      quantus_miner_ready_delay: 0,
    }
  }

  /** Runs the playbook with these variables and settings in place of the usual ones. */
  async function play(given: Variables = {}, settings: Variables = {}, ...args: readonly string[]) {
    asked = []
    const hosts = Object.fromEntries(
      [...servers].map(([machine, { port }]) => [
        machine,
        {
          root_directory: join(machines(), machine, "root"),
          quantus_miner_settings: { MINER_NODE_ADDR: "192.0.2.7:9833", MINER_METRICS_PORT: port, ...settings },
        },
      ]),
    )
    const local = { ansible_connection: "root", ansible_become: false, ansible_python_interpreter: "/usr/bin/python3" }
    const vars = { ...local, ...variables(), ...given }
    const inventory = join(folder, "inventory.json")
    writeFileSync(inventory, JSON.stringify({ miners: { hosts, vars } }))
    const script = join(import.meta.dir, "in-roots.sh")
    const playbook = ["python3", pathOf("ansible-playbook"), "--inventory", inventory, ...args]
    const child = Bun.spawn(
      ["unshare", "--mount", "--fork", "--kill-child", "sh", script, machines()].concat(
        playbook,
        join(ROOT, "deploy/ansible/update.yml"),
      ),
      {
        stdout: "pipe",
        stderr: "pipe",
        env: {
          PATH: process.env["PATH"]!,
          HOME: folder,
          LANG: "C.UTF-8",
          PYTHONPATH: join(TOOLS, "python"),
          ANSIBLE_ROLES_PATH: ROLES,
          ANSIBLE_CONNECTION_PLUGINS: join(import.meta.dir, "connection_plugins"),
          ANSIBLE_INJECT_FACT_VARS: "true",
        },
      },
    )
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    return { exitCode: await child.exited, output: `${stdout}\n${stderr}` }
  }

  /** How many tasks changed something, by machine. */
  const changes = (output: string): Record<string, number> =>
    Object.fromEntries(
      [...output.matchAll(/^([ab]) +: ok=\d+ +changed=(\d+) .* failed=0/gm)].map(([, machine, n]) => [
        machine,
        Number(n),
      ]),
    )

  const installed = (machine: string) => existsSync(changed(machine, "usr/bin/quantus-miner"))

  test("announces what it would change in check mode, and changes nothing", async () => {
    const { exitCode, output } = await play({}, {}, "--check")
    expect(`${exitCode} ${exitCode === 0 ? "" : output}`).toBe("0 ")
    expect(Object.values(changes(output)).every(n => n > 3)).toBe(true)
    for (const machine of ["a", "b"]) {
      expect(installed(machine)).toBe(false)
      expect(existsSync(changed(machine, "etc/quantus-miner"))).toBe(false)
    }
  })

  test("stops at the first machine that does not become ready", async () => {
    unready.set("a", 1000)
    // Nothing is left to change in the second run.
    for (const run of [1, 2]) {
      const { exitCode, output } = await play()
      expect(`${run} ${exitCode}`).toBe(`${run} 2`)
      expect(output).toContain("FAILED! ")
      expect(new Set(asked)).toEqual(new Set(["a 503"]))
      expect([installed("a"), installed("b")]).toEqual([true, false])
    }
    unready.clear()
  })

  test("installs package, settings, secrets and overrides, one machine after the other", async () => {
    unready.set("a", 1)
    const { exitCode, output } = await play({}, { MINER_NO_COLOR: true, MINER_LABEL: 'a\\b="c"' })
    expect(`${exitCode} ${exitCode === 0 ? "" : output}`).toBe("0 ")
    expect(asked).toEqual(["a 503", "a 200", "b 200"])
    expect(output).not.toContain(TOKEN)
    for (const [machine, { port }] of servers) {
      expect(read(machine, "etc/default/quantus-miner")).toBe(
        "# Written by Ansible.\n" +
          'MINER_LABEL="a\\\\b=\\"c\\""\n' +
          `MINER_METRICS_PORT="${port}"\nMINER_NODE_ADDR="192.0.2.7:9833"\nMINER_NO_COLOR="yes"\n`,
      )
      expect(mode(machine, "etc/default/quantus-miner")).toBe(0o640)
      expect(read(machine, "etc/quantus-miner/miner-auth-token")).toBe(`${TOKEN}\n`)
      for (const name of readdirSync(changed(machine, "etc/quantus-miner"))) {
        expect(`${name} ${mode(machine, `etc/quantus-miner/${name}`).toString(8)}`).toBe(`${name} 600`)
      }
      expect(read(machine, `${UNIT}/10-shared-hardware.conf`)).toBe(
        readFileSync(join(ROOT, "systemd/overrides/10-shared-hardware.conf"), "utf8"),
      )
      expect(readdirSync(changed(machine, "etc/systemd/system/multi-user.target.wants"))).toContain(
        "quantus-miner.service",
      )
    }
  })

  test("changes nothing in a second run, and announces nothing in check mode", async () => {
    const settings = { MINER_NO_COLOR: true, MINER_LABEL: 'a\\b="c"' }
    for (const args of [[], ["--check"]]) {
      const { output } = await play({}, settings, ...args)
      expect(changes(output)).toEqual({ a: 0, b: 0 })
      expect(asked).toEqual(args.length === 0 ? ["a 200", "b 200"] : [])
    }
  })

  test("removes the secrets and overrides that are no longer listed, and renews the others", async () => {
    const { output } = await play(
      { quantus_miner_secrets: { "miner-auth-token": "renewed" }, quantus_miner_overrides: [] },
      { MINER_NO_COLOR: true, MINER_LABEL: 'a\\b="c"' },
      "--diff",
    )
    expect(changes(output)).toEqual({ a: 3, b: 3 })
    expect(output).not.toMatch(/renewed|a-token/)
    expect(asked).toEqual(["a 200", "b 200"])
    expect(readdirSync(changed("b", "etc/quantus-miner"))).toEqual(["miner-auth-token"])
    expect(read("b", "etc/quantus-miner/miner-auth-token")).toBe("renewed\n")
    expect(readdirSync(changed("b", UNIT))).toEqual([])
  })

  test.each([
    [{ quantus_miner_package: "" }, {}, "quantus_miner_package is missing"],
    [{ quantus_miner_secrets: { token: "x" } }, {}, "quantus_miner_secrets may contain miner-auth-token,"],
    [{ quantus_miner_overrides: ["gpu"] }, {}, "quantus_miner_overrides may contain 10-shared-hardware.conf,"],
    [{}, { MINER_METRICS_PORT: 0 }, "quantus_miner_settings has no MINER_METRICS_PORT"],
    [{}, { MINER_AUTH_TOKEN: "x" }, "quantus_miner_settings contains a secret"],
  ])("refuses %j and %j with a sentence", async (given, settings, sentence) => {
    const { exitCode, output } = await play(given, settings, "--limit", "a")
    expect(output).toContain(sentence)
    expect(exitCode).toBe(2)
  })
})

/** A package with the files that a release's package has where the role expects them. */
function makePackage(path: string, version: string): void {
  const files = {
    "DEBIAN/control":
      `Package: quantus-miner\nVersion: ${version}\nArchitecture: all\nMaintainer: nobody <nobody@example>\n` +
      "Description: stands in for the released package\n",
    "DEBIAN/conffiles": "/etc/default/quantus-miner\n",
    "etc/default/quantus-miner": "#MINER_NODE_ADDR=127.0.0.1:9833\n",
    "lib/systemd/system/quantus-miner.service": readFileSync(join(ROOT, "systemd/quantus-miner.service"), "utf8"),
    "usr/bin/quantus-miner": "#!/bin/sh\n",
  }
  const folder = `${path}.d`
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const { exitCode, stderr } = Bun.spawnSync(["dpkg-deb", "--root-owner-group", "--build", folder, path])
  if (exitCode !== 0) throw new Error(`dpkg-deb: ${stderr}`)
}
