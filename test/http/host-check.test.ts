import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { hostCheck, hostOf, machineHostCheck } from "../../src/http/host-check.ts"
import { machineNames } from "../../src/http/machine-names.ts"

describe("a Host header", () => {
  test.each([
    ["miner.example", "miner.example"],
    ["miner.example:9900", "miner.example"],
    ["MINER.Example", "miner.example"],
    ["miner.example.", "miner.example"],
    ["miner.example.:80", "miner.example"],
    ["127.0.0.1:9900", "127.0.0.1"],
    ["127.0.0.1.", "127.0.0.1"],
    ["[::1]", "::1"],
    ["[::1]:9900", "::1"],
    ["[FE80::1]", "fe80::1"],
    ["[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1"],
    ["a:", "a"],
    ["a:65535", "a"],
    ["my_box", "my_box"],
  ])("%p names the host %p", (header, host) => expect(hostOf(header)).toBe(host))

  test.each([
    [null],
    [""],
    ["."],
    [":80"],
    ["a, b"],
    ["a b"],
    ["a:65536"],
    ["a:b"],
    ["a:1:2"],
    ["::1"],
    ["[::1"],
    ["[a]"],
    ["[127.0.0.1]"],
    ["[]"],
    ["user@a"],
    ["a/b"],
    ["a?b"],
    ["http://a"],
    ["ä"],
  ])("%p names none", header => expect(hostOf(header)).toBeUndefined())
})

describe("a host", () => {
  const accepts = hostCheck(["Rig-7.Example."])

  test.each(["localhost", "127.0.0.1", "192.0.2.7", "::1", "2001:db8::1", "rig-7.example"])("%p is accepted", host =>
    expect(accepts(host)).toBe(true),
  )

  test.each([
    "evil.example",
    "rig-7",
    "sub.rig-7.example",
    "rig-7.example.evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "2130706433",
    "0x7f000001",
    "127.1",
  ])("%p is not", host => expect(accepts(host)).toBe(false))

  test("is accepted if it is a name of this machine, the name on which it listens, or listed", () => {
    const accepts = machineHostCheck("served.example", ["listed.example"])
    for (const name of [hostname().toLowerCase(), "served.example", "listed.example"]) expect(accepts(name)).toBe(true)
    expect(accepts("evil.example")).toBe(false)
  })
})

describe("the machine's names", () => {
  test("are its host name, also in each domain, and the names that the hosts file gives to its address", () => {
    const directory = mkdtempSync(join(tmpdir(), "quantus-names-"))
    try {
      const files = { hosts: join(directory, "hosts"), resolver: join(directory, "resolv.conf") }
      writeFileSync(files.hosts, "127.0.0.1 localhost\n127.0.1.1\tRig-7.Home.Example rig-7 # this one\n192.0.2.9 nas\n")
      writeFileSync(files.resolver, "# search no.example\nnameserver 192.0.2.1\nsearch lan. corp.example\n")
      expect([...machineNames("Rig-7", files)].sort()).toEqual(
        ["rig-7", "rig-7.lan", "rig-7.corp.example", "rig-7.local", "rig-7.home.example"].sort(),
      )
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test("include the short form of a full host name, and need no files", () => {
    const files = { hosts: "/nowhere/hosts", resolver: "/nowhere/resolv.conf" }
    expect(machineNames("rig-7.example.", files)).toEqual(["rig-7.example", "rig-7", "rig-7.local"])
    expect(machineNames("", files)).toEqual([])
  })
})
