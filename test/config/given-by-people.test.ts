/** Configuration as operators type, paste and mount it. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import type { Command } from "../../src/config/commands.ts"
import { resolveConfig } from "../../src/config/config.ts"
import { systemFiles } from "../../src/config/files.ts"
import {
  fileKeyOf,
  flagsOf,
  OPTION_NAMES,
  type OptionName,
  optionOf,
  optionsOf,
  variablesOf,
} from "../../src/config/options.ts"
import { invisibleCharacter } from "../../src/config/parse.ts"
import { PIN } from "../../src/config/secrets.ts"
import { sourceUrl } from "../../src/config/source-url.ts"
import type { QuicSourceConfig, StratumSourceConfig } from "../../src/config/sources.ts"
import type { Environment } from "../../src/environment.ts"
import { OperatorError } from "../../src/errors.ts"
import { type MemoryFile, memoryFiles } from "./memory-files.ts"

const DIGITS = "ab".repeat(32)
const CREDENTIALS = { MINER_AUTH_TOKEN: "token", MINER_TLS_CERT_SHA256: DIGITS }
const POOL = ["--url", "stratum+tls://pool:1"]

const serve = (
  args: string[] = [],
  env: Environment = CREDENTIALS,
  files: Readonly<Record<string, string | MemoryFile>> = {},
) => resolveConfig("serve", args, env, memoryFiles(files))

async function errorOf(resolving: Promise<unknown>): Promise<string> {
  const error = await resolving.then(
    () => undefined,
    error => error,
  )
  if (!(error instanceof OperatorError)) throw error ?? new Error("no error")
  return `${error.exitCode} ${error.message}`
}

describe("encodings", () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-encodings-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const file = (name: string, bytes: Uint8Array | string) => {
    const path = join(directory, name)
    writeFileSync(path, bytes, { mode: 0o600 })
    return path
  }

  test("a UTF-8 byte order mark is not part of a token, a pin or a configuration", async () => {
    const token = file("token", "\uFEFFtoken\r\n")
    const pin = file("pin", `\uFEFF${DIGITS}\r\n`)
    const config = file("bom.toml", `\uFEFFcpu_workers = 2\r\nauth_token_file = '${token}'`)
    const resolved = await resolveConfig("serve", ["--config", config, "--tls-cert-sha256-file", pin], {}, systemFiles)
    expect(resolved.settings.cpuWorkers).toBe(2)
    const [source] = resolved.sources as QuicSourceConfig[]
    expect([source!.token.read(), source!.pin.read()]).toEqual(["token", DIGITS])
  })

  test("nor of a configuration in JSON, a password or a metrics token", async () => {
    const password = file("password", "\uFEFFsecret\n")
    const metricsToken = file("metrics-token", "\uFEFFbearer\n")
    const text = JSON.stringify({ password_file: password, metrics_token_file: metricsToken, metrics_port: 1 })
    const config = file("bom.json", `\uFEFF${text}`)
    const args = ["--config", config, ...POOL, "--login", "a.b"]
    const { sources, monitoring } = await resolveConfig("serve", args, {}, systemFiles)
    expect((sources[0] as StratumSourceConfig).password.read()).toBe("secret")
    expect(monitoring.token?.read()).toBe("bearer")
  })

  const ENCODINGS = {
    "little-endian with a mark": (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le"),
    "big-endian with a mark": (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le").swap16(),
    "little-endian": (text: string) => Buffer.from(text, "utf16le"),
    "big-endian": (text: string) => Buffer.from(text, "utf16le").swap16(),
  }
  const TEXTS = [
    ["--config", "cpu_workers = 2"],
    ["--config", '{"cpu_workers": 2}'],
    ["--auth-token-file", "token"],
    ["--tls-cert-sha256-file", DIGITS],
    ["--password-file", "secret"],
    ["--metrics-token-file", "bearer"],
    ["--metrics-tls-cert", "-----BEGIN CERTIFICATE-----"],
  ] as const
  const others = {
    "--password-file": [...POOL, "--login", "a.b"],
    "--metrics-token-file": ["--metrics-port", "1"],
    "--metrics-tls-cert": ["--metrics-port", "1", "--metrics-tls-key", "/dev/null"],
    "--tls-cert-sha256-file": ["--auth-token", "token"],
  }

  test.each(Object.entries(ENCODINGS))("UTF-16, %s, is named whatever the file holds", async (name, encoded) => {
    for (const [flag, text] of TEXTS) {
      const path = file(`${name}${flag}`.replaceAll(" ", "-"), encoded(text))
      const args = [flag, path, ...(others[flag as keyof typeof others] ?? [])]
      const env = flag.startsWith("--metrics") ? CREDENTIALS : {}
      expect(await errorOf(resolveConfig("serve", args, env, systemFiles))).toBe(
        `78 ${flag}: ${path} is UTF-16 text: save it as UTF-8`,
      )
    }
  })
})

describe("a pin on an unencrypted connection", () => {
  const tcp = ["--url", "stratum+tcp://pool:1", "--login", "a.b"]

  test("is refused if no QUIC source uses it", async () => {
    expect(await errorOf(serve([...tcp, "--tls-cert-sha256", DIGITS], {}))).toMatch(
      /^78 --tls-cert-sha256 has no effect on stratum\+tcp:\/\/pool:1/,
    )
  })

  test("is refused in the source's own table", async () => {
    const toml = `login = "a.b"\n[[source]]\nurl = "quic://node"\n[[source]]\nurl = "tcp://pool:1"\ntls_cert_sha256 = "${DIGITS}"`
    expect(await errorOf(serve(["--config", "/m.toml"], CREDENTIALS, { "/m.toml": toml }))).toMatch(
      /^78 \/m\.toml:6: tls_cert_sha256 has no effect on stratum\+tcp:\/\/pool:1/,
    )
  })

  test("belongs to the node if there is a QUIC source", async () => {
    const { sources } = await serve(["--url", "quic://node,stratum+tcp://pool:1", "--login", "a.b"])
    expect((sources[1] as StratumSourceConfig).pin).toBeUndefined()
  })
})

describe("the mode of a secret file", () => {
  const noted = async (mode: number, options: { readOnlyMount?: boolean; which?: "token" | "pin" } = {}) => {
    const { which = "token", readOnlyMount = false } = options
    const files = { "/token": { text: "token" }, "/pin": { text: DIGITS } }
    files[`/${which}`] = { ...files[`/${which}`], mode, readOnlyMount } as MemoryFile & { text: string }
    const { notes } = await serve(["--auth-token-file", "/token", "--tls-cert-sha256-file", "/pin"], {}, files)
    return notes.map(({ message }) => message)
  }

  test("that lets others write causes a warning", async () => {
    expect(await noted(0o602)).toEqual([
      "/token contains a token, but its mode 0602 lets other users change it: run chmod 600 /token",
    ])
    expect(await noted(0o666, { which: "pin" })).toEqual([
      "/pin contains a certificate's SHA-256, but its mode 0666 lets other users change it: run chmod 644 /pin",
    ])
    expect(await noted(0o644, { which: "pin" })).toEqual([])
  })

  test("does not cause advice to run chmod on a read-only mount", async () => {
    expect(await noted(0o440, { readOnlyMount: true })).toEqual([])
    expect((await noted(0o444, { readOnlyMount: true })).join()).not.toContain("chmod")
  })
})

describe("systemd's credentials", () => {
  test("include a pool's login and password", async () => {
    const files = { "/creds/miner-login": "a.b\n", "/creds/miner-password": "secret\n" }
    const [source] = (await serve(POOL, { CREDENTIALS_DIRECTORY: "/creds" }, files)).sources as StratumSourceConfig[]
    expect([source!.login, source!.password.read()]).toEqual(["a.b", "secret"])
    const empty = { "/creds/miner-login": "\n", "/creds/miner-password": "\n" }
    const withFlag = await serve([...POOL, "--login", "c.d"], { CREDENTIALS_DIRECTORY: "/creds" }, empty)
    expect((withFlag.sources[0] as StratumSourceConfig).password.read()).toBe("x")
  })
})

describe("URLs", () => {
  test.each([
    ["stratum+ssl", "stratum+tls"],
    ["ssl", "stratum+tls"],
    ["tls", "stratum+tls"],
    ["stratum", "stratum+tcp"],
    ["tcp", "stratum+tcp"],
  ] as const)("%s:// is %s", (scheme, protocol) => {
    expect(sourceUrl(`${scheme}://pool:1`)).toMatchObject({ protocol, host: "pool", port: 1 })
  })

  test("an alias of an unencrypted scheme logs the encrypted URL", async () => {
    const { notes } = await serve(["--url", "tcp://pool:1", "--login", "a.b"], {})
    expect(notes.map(({ message }) => message).join()).toContain("stratum+tls://pool:1")
  })

  test("a bare address is an error that lists the schemes; a trailing slash is accepted", async () => {
    const message = await errorOf(serve(["--url", "pool:3333"]))
    for (const spelling of ["quic://", "stratum+tcp://", "stratum+tls://"]) expect(message).toContain(spelling)
    expect((await serve(["--node-addr", "10.0.0.7:9833/"])).sources[0]!.name).toBe("quic://10.0.0.7:9833")
  })
})

test("a fingerprint is accepted in the formats of common tools", () => {
  const colons = `${"AB:".repeat(31)}AB`
  const spellings = [
    DIGITS.toUpperCase(),
    colons,
    `SHA256 Fingerprint=${colons}`,
    `sha256 Fingerprint=${colons}`,
    `SHA-256: ${colons}`,
    `${DIGITS}  miner-cert.der`,
    `${DIGITS} *cert.der`,
    `SHA256 Fingerprint=${colons} node.pem`,
  ]
  for (const spelling of spellings) expect(PIN.normalise(spelling), spelling).toBe(DIGITS)
  for (const wrong of [DIGITS.slice(2), `${DIGITS}ab`, "file.der"]) expect(PIN.normalise(wrong)).toBeUndefined()
})

describe("invisible characters and quotes", () => {
  test("are reported with their position", async () => {
    expect(invisibleCharacter("abcdef\u200Bg")).toBe("U+200B at position 7")
    expect(invisibleCharacter("qz.rig 1")).toBeUndefined()
    expect(await errorOf(serve([...POOL, "--login", "abcdef\u200Bg"], {}))).toContain("U+200B at position 7")
    expect(await errorOf(serve([...POOL], { MINER_LOGIN: "a.b\r" }))).toContain("U+000D at position 4")
    expect(await errorOf(serve(["--auth-token", "to\u00ADken"]))).toBe(
      "64 --auth-token has U+00AD at position 3: remove it",
    )
  })

  const HIDDEN = ["\r", "\u0000", "\u200B", "\u202E", "\uFEFF", "\u2028"]
  const code = (character: string) => `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`
  const commandOf = (name: OptionName) => optionOf(name).commands[0]!

  test("are named wherever an option takes a value: flags, variables, files and their sources", async () => {
    const inFile = (command: Command, text: string) =>
      resolveConfig(command, ["--config", "/m.json"], {}, memoryFiles({ "/m.json": text }))
    const readers = optionsOf("serve")
    for (const name of OPTION_NAMES) {
      for (const character of HIDDEN) {
        const value = `abcdef${character}g`
        const named = ` has ${code(character)} at position 7: remove it`
        for (const flag of flagsOf(name)) {
          const resolved = resolveConfig(commandOf(name), [`--${flag}=${value}`], {}, memoryFiles({}))
          expect(await errorOf(resolved)).toBe(`64 --${flag}${named}`)
        }
        for (const variable of variablesOf(name)) {
          const resolved = resolveConfig(commandOf(name), [], { [variable]: value }, memoryFiles({}))
          expect(await errorOf(resolved)).toBe(`64 ${variable}${named}`)
        }
        const key = fileKeyOf(name)
        // JSON holds what TOML's syntax excludes; a boolean is no text there.
        if (key === undefined || optionOf(name).parser.kind === "boolean" || !readers.includes(name)) continue
        const text = JSON.stringify({ [key]: value })
        expect(await errorOf(inFile("serve", text))).toBe(`78 /m.json:1: ${key}${named}`)
        if (!optionOf(name).perSource) continue
        const source = JSON.stringify({ source: [{ url: "quic://node", ...JSON.parse(text) }] })
        expect(await errorOf(inFile("serve", source))).toBe(`78 /m.json:1: ${key}${named}`)
      }
    }
  })

  test("are named in the name of a flag or key, and in each value of a list", async () => {
    expect(await errorOf(serve(["--login\u200B=a.b"]))).toContain("has U+200B at position 8: remove it")
    expect(await errorOf(serve(["--config", "/m.json"], {}, { "/m.json": '{"login\u00A0": "a.b"}' }))).toContain(
      "has U+00A0 at position 6: remove it",
    )
    const labels = ["--label", "site=a", "--label", "rack=\u200B3"]
    expect(await errorOf(serve(labels))).toBe("64 --label has U+200B at position 6: remove it")
  })

  test("in a proxy's password are refused however they are written", async () => {
    const proxied = serve([...POOL, "--login", "a.b", "--proxy", "socks5://user:pass%0Dword@proxy:1"], {})
    expect(await errorOf(proxied)).toContain("U+000D at position 5")
  })

  test("are accepted where they are usual: the last newline of a secret, joiners and spaces of a path", async () => {
    const { sources } = await serve([], { ...CREDENTIALS, MINER_AUTH_TOKEN: "token\n" })
    expect((sources[0] as QuicSourceConfig).token.read()).toBe("token")
    const path = "/\u{1F468}\u200D\u{1F4BB}/log\u3000file"
    expect((await serve(["--log-file", path])).settings.logFile).toBe(path)
  })

  test("quotes copied from an environment file are an error", async () => {
    expect(await errorOf(serve([], { ...CREDENTIALS, MINER_AUTH_TOKEN: '"token"' }))).toBe(
      "64 MINER_AUTH_TOKEN has quotes around the token: remove them",
    )
    expect(await errorOf(serve(POOL, { MINER_LOGIN: "'a.b'" }))).toContain("without quotes around it")
  })

  test("an empty variable is absent", async () => {
    const { settings } = await serve([], {
      ...CREDENTIALS,
      MINER_METRICS_PORT: "",
      MINER_ENGINE: "",
      MINER_VERBOSE: "",
    })
    expect(settings).toMatchObject({ engine: "auto", verbose: false })
    expect(settings.metricsPort).toBeUndefined()
  })
})

test("JSON is recognised by its content", async () => {
  for (const path of ["/miner.conf", "/miner.toml"]) {
    const files = { [path]: '\n// a rig\n{"cpu_workers": 5}' }
    expect((await serve(["--config", path], CREDENTIALS, files)).settings.cpuWorkers).toBe(5)
  }
  const toml = { "/miner.json": "# a rig\ncpu_workers = 4" }
  expect((await serve(["--config", "/miner.json"], CREDENTIALS, toml)).settings.cpuWorkers).toBe(4)
})

describe("names", () => {
  test("{name} in a login and a token is the miner's name, and doubled braces are literal", async () => {
    const login = async (...args: string[]) =>
      ((await serve([...POOL, "--login", "qz.{name}-{{x}}", ...args], {})).sources[0] as StratumSourceConfig).login
    expect(await login("--name", "rig 7")).toBe("qz.rig 7-{x}")
    expect(await login()).toBe(`qz.${hostname()}-{x}`)
    const { sources } = await serve(["--name", "rig7"], { ...CREDENTIALS, MINER_AUTH_TOKEN: "qz.{name}" })
    expect((sources[0] as QuicSourceConfig).token.read()).toBe("qz.rig7")
  })

  test("a configuration file's variables are expanded, a secret file's are not", async () => {
    const toml = ["engine = '${E}'", "login = '${L:-a.b}'", "password = 'pa$$${L:-}'", "url = 'tls://${H}:1'"].join(
      "\n",
    )
    const config = await serve(["--config", "/m.toml"], { E: "wasm", H: "pool", L: "" }, { "/m.toml": toml })
    expect(config.settings.engine).toBe("wasm")
    const [source] = config.sources as StratumSourceConfig[]
    expect([source!.name, source!.login, source!.password.read()]).toEqual(["stratum+tls://pool:1", "a.b", "pa$"])
    const files = { "/t": "${E}", "/p": DIGITS }
    const secret = await serve(["--auth-token-file", "/t", "--tls-cert-sha256-file", "/p"], { E: "x" }, files)
    expect((secret.sources[0] as QuicSourceConfig).token.read()).toBe("${E}")
  })

  test("an unset variable is reported", async () => {
    const files = { "/m.toml": "\nengine = '${NOWHERE}'" }
    expect(await errorOf(serve(["--config", "/m.toml"], CREDENTIALS, files))).toBe(
      "78 /m.toml:2: engine refers to the variable NOWHERE, which is not set",
    )
  })
})

test("variables that Kubernetes sets for a service are ignored with a warning", async () => {
  const links = {
    MINER_METRICS_SERVICE_HOST: "10.0.0.1",
    MINER_METRICS_SERVICE_PORT: "9900",
    MINER_METRICS_PORT: "tcp://10.0.0.1:9900",
    MINER_METRICS_PORT_9900_TCP_ADDR: "10.0.0.1",
  }
  const { settings, notes } = await serve([], { ...CREDENTIALS, ...links })
  expect(settings.metricsPort).toBeUndefined()
  expect(notes).toEqual([{ level: "warn", message: expect.stringContaining("enableServiceLinks: false") }])
  const { settings: own } = await serve([], { ...CREDENTIALS, ...links, MINER_METRICS_PORT: "9901" })
  expect(own.metricsPort).toBe(9901)
})
