/** The built executable where a firewall or a system call filter refuses what it needs. */
import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"

const without = (calls: string): string[] => [
  process.execPath,
  join(import.meta.dir, "../support/without-calls.ts"),
  calls,
]
const succeeds = (command: readonly string[]): boolean => {
  try {
    return Bun.spawnSync([...command], { stdout: "ignore", stderr: "ignore" }).exitCode === 0
  } catch {
    return false
  }
}

/** A dedicated network, whose firewall drops every datagram. */
const FIREWALL = [
  "unshare",
  "--net",
  "sh",
  "-c",
  'ip link set lo up && iptables -A OUTPUT -p udp -j DROP && exec "$@"',
  "sh",
]
/** Only what the runtime sends datagrams with: its pipes are sockets. */
const FILTER = without("sendmmsg")
const hasFilters = process.platform === "linux" && succeeds([...FILTER, "/bin/true"])
const hasFirewall = process.platform === "linux" && succeeds([...FIREWALL, "/bin/true"])
if (!hasFilters) console.log("skipped: system call filters, which this system does not have")
if (!hasFirewall) console.log("skipped: a firewall, which needs root, unshare, ip and iptables")

describe("a system that refuses to send is named", () => {
  const cases = [
    ["a seccomp filter", hasFilters, FILTER],
    ["a firewall", hasFirewall, FIREWALL],
  ] as const
  for (const [what, available, prefix] of cases) {
    test.skipIf(!available)(
      what,
      async () => {
        const credentials = ["--auth-token=token", `--tls-cert-sha256=${"00".repeat(32)}`]
        const args = ["serve", "--node-addr=127.0.0.1:9833", "--engine=wasm", "--cpu-workers=1", "--gpu-devices=0"]
        const miner = new MinerProcess([...args, ...credentials], { prefix })
        const { text } = await miner.line(/next attempt in/)
        expect(await miner.stop()).toBe(0)
        expect(text).toContain(
          "this system refuses to send to 127.0.0.1 port 9833: EPERM (a firewall or seccomp filter)",
        )
      },
      60_000,
    )
  }
})

/** The runtime itself cannot start without these: it aborts before the miner's code runs, as docs/reliability.md says. */
test.skipIf(!hasFilters)("without clone3 or prlimit64 the runtime aborts with 134 and its own report", () => {
  const outcomes = ["clone3", "prlimit64"].map(call => {
    const { exitCode, signalCode, stderr } = Bun.spawnSync([...without(call), builtExecutable(), "version"])
    return { call, code: signalCode ?? exitCode, report: stderr.toString() }
  })
  figure("a system call filter that denies", outcomes.map(({ call, code }) => `${call}: ${code}`).join(", "))
  for (const { code, report } of outcomes) {
    expect([134, "SIGABRT"]).toContain(code)
    expect(report).toContain("abort() called")
  }
})
