/** Every command in a document that makes a file of secrets gives it a mode that keeps other users out. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dir, "../..")
const DOCUMENTS = ["*.md", "docs/*.md", "systemd/**", "deploy/**", "examples/**"]

/** Files that hold a secret by their name, whatever their directory: a token, a login, a password, a private key, the settings. */
const SECRET =
  /(?:^|\/)(?:[\w-]*-)?(?:token|login|password)$|\.key(?:\.pem)?$|\/etc\/(?:default|sysconfig)\/quantus-miner$/

/** A command that makes its last operand, or the file behind `>`. */
const MAKES = /^(?:sudo )?(install|cp|mv|touch|tee|scp|ln|dd)\b.*?(\S+)$|^[^|]*[^>=-]>\s*(\S+)$/

interface Fault {
  readonly line: string
  readonly why: string
}

/** The commands of a text that make a secret file readable by others, or leave its mode to the umask. */
function faultsIn(text: string): Fault[] {
  const made = new Set<string>()
  const faults: Fault[] = []
  for (const line of text.split("\n").map(line => line.replace(/^[\s#]+/, "").trim())) {
    const [, command, operand, redirected] = MAKES.exec(line) ?? []
    const path = operand ?? redirected
    const appended = /^[^|]*>>\s*(\S+)$/.exec(line)?.[1]
    if (appended !== undefined && SECRET.test(appended)) {
      if (!made.has(appended)) faults.push({ line, why: "appends to a file that no command made" })
    } else if (path !== undefined && SECRET.test(path)) {
      const mode = /\s-\w*m\s*([0-7]{3,4})\b/.exec(line)?.[1]
      if (command !== "install" || mode === undefined) faults.push({ line, why: "gives no mode" })
      else if (Number.parseInt(mode, 8) & 0o007) faults.push({ line, why: "lets others in" })
      made.add(path)
    }
  }
  return faults
}

test("commands are distinguished", () => {
  const whyOf = (text: string) => faultsIn(text).map(({ why }) => why)
  expect(whyOf("install -m 0600 token /etc/quantus-miner/miner-auth-token")).toEqual([])
  expect(whyOf("#   install -m 0600 login /etc/quantus-miner/miner-login")).toEqual([])
  expect(whyOf("sudo install -m 0644 token /etc/quantus-miner/miner-auth-token")).toEqual(["lets others in"])
  expect(whyOf("install token /etc/quantus-miner/miner-auth-token")).toEqual(["gives no mode"])
  expect(whyOf("cp node/miner-auth-token /etc/quantus-miner/miner-auth-token")).toEqual(["gives no mode"])
  expect(whyOf("echo MINER_LOGIN=a.b > /etc/default/quantus-miner")).toEqual(["gives no mode"])
  expect(whyOf("echo MINER_LOGIN=a.b >> /etc/default/quantus-miner")).toEqual([
    "appends to a file that no command made",
  ])
  expect(
    whyOf("install -Dm640 /dev/null $d/etc/default/quantus-miner\necho A=b >> $d/etc/default/quantus-miner"),
  ).toEqual([])
  expect(whyOf("install -m 0644 miner-tls-cert-sha256 /etc/quantus-miner/miner-tls-cert-sha256")).toEqual([])
})

const paths = [...new Set(DOCUMENTS.flatMap(pattern => [...new Bun.Glob(pattern).scanSync({ cwd: root })]))].sort()

test("the documents have such commands", () => {
  const readme = readFileSync(join(root, "systemd/readme.md"), "utf8")
  for (const name of ["miner-auth-token", "miner-login", "miner-password", "miner-metrics-token"])
    expect(readme).toMatch(new RegExp(`install -m 0600 \\S+ /etc/quantus-miner/${name}$`, "m"))
  expect(readme).toMatch(/^install -m 06[04]0 \/dev\/null \/etc\/default\/quantus-miner$/m)
})

test.each(paths)("%s", path => {
  expect(faultsIn(readFileSync(join(root, path), "utf8"))).toEqual([])
})

test("the packages make the settings unreadable to others", () => {
  const contents = readFileSync(join(root, "deploy/packages/nfpm.yaml"), "utf8").split(/^ {2}- (?=src|dst)/m)
  const settings = contents.filter(entry => /dst: \/etc\/(?:default|sysconfig)\/quantus-miner$/m.test(entry))
  expect(settings.length).toBeGreaterThan(0)
  for (const entry of settings) expect(entry).toMatch(/mode: 06[04]0\b/)
})
