import { describe, expect, test } from "bun:test"
import { resolve } from "node:path"
import fc from "fast-check"
import { type Config, resolveConfig } from "../../src/config/config.ts"
import { systemFiles } from "../../src/config/files.ts"
import { MissingSecret } from "../../src/config/secrets.ts"
import type { QuicSourceConfig, StratumSourceConfig } from "../../src/config/sources.ts"
import type { Environment } from "../../src/environment.ts"
import { OperatorError } from "../../src/errors.ts"
import { type MemoryFile, memoryFiles } from "./memory-files.ts"

const TOKEN = "s3cret-token"
const PIN = "ab".repeat(32)
const CREDENTIALS = { MINER_AUTH_TOKEN: TOKEN, MINER_TLS_CERT_SHA256: PIN }

type MemoryFiles = Readonly<Record<string, string | MemoryFile>>

function serve(args: string[] = [], env: Environment = CREDENTIALS, files: MemoryFiles = {}) {
  return resolveConfig("serve", args, env, memoryFiles(files))
}

async function errorOf(resolving: Promise<unknown>): Promise<string> {
  const error = await resolving.then(
    () => new Error("no error"),
    error => error,
  )
  if (!(error instanceof OperatorError)) throw error
  for (const secret of [TOKEN, PIN, "hunter2"]) expect(error.message).not.toContain(secret)
  return `${error.exitCode} ${error.message}`
}

describe("precedence", () => {
  const file = { "/miner.toml": 'cpu_workers = 1\nengine = "filed"' }

  test("a flag overrides a variable, a variable the file, and the file the default", async () => {
    const withFile = ["--config", "/miner.toml"]
    const env = { ...CREDENTIALS, MINER_CPU_WORKERS: "2" }
    expect((await serve([])).settings.cpuWorkers).toBeUndefined()
    expect((await serve(withFile, CREDENTIALS, file)).settings).toMatchObject({ cpuWorkers: 1, engine: "filed" })
    expect((await serve(withFile, env, file)).settings).toMatchObject({ cpuWorkers: 2, engine: "filed" })
    const all = await serve([...withFile, "--cpu-workers", "3"], env, file)
    expect(all.settings).toMatchObject({ cpuWorkers: 3, engine: "filed" })
  })

  test("holds for every combination of layers", async () => {
    const present = fc.record({ flag: fc.boolean(), variable: fc.boolean(), file: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(present, async ({ flag, variable, file }) => {
        const { settings } = await serve(
          [...(flag ? ["--metrics-port", "1"] : []), "--config", "/miner.json"],
          { ...CREDENTIALS, ...(variable && { MINER_METRICS_PORT: "2" }) },
          { "/miner.json": file ? '{"metrics_port": 3}' : "{}" },
        )
        expect(settings.metricsPort).toBe(flag ? 1 : variable ? 2 : file ? 3 : undefined)
      }),
    )
  })

  test("an option's primary variable overrides its alias", async () => {
    const env = { ...CREDENTIALS, MINER_WORKERS: "3" }
    expect((await serve([], env)).settings.cpuWorkers).toBe(3)
    expect((await serve([], { ...env, MINER_CPU_WORKERS: "2" })).settings.cpuWorkers).toBe(2)
  })
})

test("an unspecified option has its default", async () => {
  const { settings, sources } = await serve()
  expect(settings).toEqual({
    nodeAddr: { host: "127.0.0.1", port: 9833 },
    engine: "auto",
    cpuAffinity: "auto",
    gpuDevices: { kind: "all" },
    failoverPatience: 10,
    gpuThrottleMs: 0,
    allowIntegrated: false,
    recalibrate: false,
    metricsHost: "127.0.0.1",
    cudaGpu: false,
    pauseOnBattery: false,
    verbose: false,
    quiet: false,
    noColor: false,
    noStatusLine: false,
    logFormat: "pretty",
  } as unknown as typeof settings)
  expect(sources.map(source => source.name)).toEqual(["quic://127.0.0.1:9833"])
})

test("selections of CPUs and GPUs are parsed", async () => {
  const gpus = async (text: string) => (await serve(["--gpu-devices", text])).settings.gpuDevices
  expect(await gpus("0")).toEqual({ kind: "count", count: 0 })
  expect(await gpus("0,2")).toEqual({ kind: "list", devices: [0, 2] })
  expect(await gpus("2,")).toEqual({ kind: "list", devices: [2] })
  expect(await gpus("0A:00.0,0000:65:00.1")).toEqual({ kind: "list", devices: ["0000:0a:00.0", "0000:65:00.1"] })
  expect((await serve(["--cpu-affinity", "0-2,5"])).settings.cpuAffinity).toEqual([0, 1, 2, 5])
})

describe("sources", () => {
  const quic = (config: Config<"serve">, i = 0) => config.sources[i] as QuicSourceConfig
  const stratum = (config: Config<"serve">, i = 0) => config.sources[i] as StratumSourceConfig

  test("a proxy belongs to Stratum pools, in general or by table; QUIC cannot use one", async () => {
    const pool = ["--url", "stratum+tcp://pool:1", "--login", "a.b"]
    const env = { MINER_PROXY: "socks5://me:hunter2%40@proxy" }
    expect(stratum(await serve(pool, env)).proxy).toEqual({
      ...{ protocol: "socks5", host: "proxy", port: 1080, username: "me", password: "hunter2@" },
    })
    const toml = `
      [[source]]
      url = "quic://node"
      [[source]]
      url = "stratum+tcp://pool:1"
      login = "a.b"
      proxy = "http://proxy:8080"
    `
    const config = await serve(["--config", "/m.toml"], CREDENTIALS, { "/m.toml": toml })
    expect(stratum(config, 1).proxy).toEqual({ protocol: "http", host: "proxy", port: 8080 })
    expect(await errorOf(serve(["--node-addr", "node", "--proxy", "socks5://me:hunter2@proxy"]))).toBe(
      "78 quic://node:9833 cannot be reached through --proxy: QUIC runs over UDP, which these proxies do not forward; " +
        "give the proxy in the [[source]] tables of Stratum pools only, or remove it",
    )
  })

  test.each([
    "socks4://h",
    "http://h",
    "socks5://me:hunter2@",
    "socks5://%zz@h",
    "me:hunter2@h:1",
    "socks5://me:hunter2@h/x",
  ])("%p is no proxy, and is not shown", async url => {
    const error = await errorOf(serve(["--url", "stratum+tcp://pool:1", "--login", "a.b", "--proxy", url], {}))
    expect(error).toBe(
      "64 --proxy must be socks5://[USER:PASSWORD@]HOST[:PORT] or http://[USER:PASSWORD@]HOST:PORT, with special characters as %XX",
    )
  })

  test("--node-addr is a QUIC URL, and a flag replaces the URLs of variables", async () => {
    const config = await serve(["--node-addr", "[::1]"], { ...CREDENTIALS, MINER_URL: "quic://a,quic://b" })
    expect(config.sources.map(source => source.name)).toEqual(["quic://[::1]:9833"])
  })

  test("credentials are values or files, without separators", async () => {
    const files = { "/t": `${TOKEN}\n`, "/p": PIN.toUpperCase().replace(/(..)(?=.)/g, "$1:") }
    const config = await serve(["--auth-token-file", "/t", "--tls-cert-sha256-file", "/p"], {}, files)
    expect(quic(config).token.read()).toBe(TOKEN)
    expect(quic(config).token.file).toBe("/t")
    expect(quic(config).pin.read()).toBe(PIN)
  })

  test("a secret file is read at every request", async () => {
    const files: Record<string, string> = { "/t": "old", "/p": PIN }
    const config = await serve(["--auth-token-file", "/t", "--tls-cert-sha256-file", "/p"], {}, files)
    files["/t"] = "new"
    expect(quic(config).token.read()).toBe("new")
    files["/t"] = ""
    expect(() => quic(config).token.read()).toThrow("/t is empty")
  })

  test("a secret from a pipe is read once", async () => {
    const files: Record<string, string | MemoryFile> = { "/dev/fd/63": { text: "piped", pipe: true }, "/p": PIN }
    const config = await serve(["--auth-token-file", "/dev/fd/63", "--tls-cert-sha256-file", "/p"], {}, files)
    files["/dev/fd/63"] = { text: "", pipe: true }
    expect(quic(config).token.read()).toBe("piped")
  })

  test("a token flag overrides a token file variable", async () => {
    const env = { ...CREDENTIALS, MINER_AUTH_TOKEN: undefined, MINER_AUTH_TOKEN_FILE: "/missing" }
    expect(quic(await serve(["--auth-token", "flagged"], env)).token.read()).toBe("flagged")
  })

  test("credentials of a [[source]] table override the file's general ones", async () => {
    const toml = `
      login = "qzA.rig"
      auth_token_file = "general"
      tls_cert_sha256_file = "pin"

      [[source]]
      url = "quic://near"
      [[source]]
      url = "quic://far:1"
      auth_token_file = "/etc/own"
      keep_mining = true
      [[source]]
      url = "stratum+tls://pool:2"
      password = "hunter2"
    `
    const files = { "/conf/miner.toml": toml, "/conf/general": "one", "/etc/own": "two", "/conf/pin": PIN }
    const config = await serve(["--config", "/conf/miner.toml"], {}, files)
    expect(config.sources.map(source => source.name)).toEqual([
      "quic://near:9833",
      "quic://far:1",
      "stratum+tls://pool:2",
    ])
    expect(quic(config, 0)).toMatchObject({ keepMining: false })
    expect(quic(config, 0).token.read()).toBe("one")
    expect(quic(config, 1)).toMatchObject({ keepMining: true })
    expect(quic(config, 1).token.read()).toBe("two")
    expect(stratum(config, 2)).toMatchObject({ login: "qzA.rig", pin: undefined })
    expect(stratum(config, 2).password.read()).toBe("hunter2")
    const flagged = await serve(["--config", "/conf/miner.toml", "--auth-token", "all"], {}, files)
    expect([quic(flagged, 0), quic(flagged, 1)].map(source => source.token.read())).toEqual(["all", "all"])
    const chosen = await serve(["--config", "/conf/miner.toml", "--url", "quic://far:1"], {}, files)
    expect(quic(chosen).token.read()).toBe("two")
  })

  test("a pool's password is x if absent", async () => {
    const config = await serve(["--url", "stratum+tcp://pool:1", "--login", "qzA.rig"], {})
    expect(stratum(config).password.read()).toBe("x")
  })

  test("systemd credentials are used if nothing else is specified", async () => {
    const files = {
      "/creds/miner-auth-token": { text: TOKEN, mode: 0o440 },
      "/creds/miner-tls-cert-sha256": PIN,
      "/t": "x",
    }
    const env = { CREDENTIALS_DIRECTORY: "/creds" }
    const config = await serve([], env, files)
    expect([quic(config).token.read(), quic(config).pin.read()]).toEqual([TOKEN, PIN])
    expect(config.notes).toEqual([])
    const none = { "/creds/miner-auth-token": "\n", "/creds/miner-tls-cert-sha256": "\n" }
    expect(await errorOf(serve([], env, none))).toStartWith("78 quic://127.0.0.1:9833 needs a token")
    expect(quic(await serve(["--auth-token-file", "/t"], env, files)).token.read()).toBe("x")
  })

  const chain = "/home/me/.local/share/quantus-node/chains/dirac"
  const nodeFiles = { [`${chain}/miner-auth-token`]: TOKEN, [`${chain}/miner-tls-cert-sha256`]: PIN }

  test("the credential files of a node on this machine are found and logged", async () => {
    const config = await serve([], { HOME: "/home/me" }, nodeFiles)
    expect([quic(config).token.read(), quic(config).pin.read()]).toEqual([TOKEN, PIN])
    expect(config.notes.map(note => note.message)).toEqual([
      `using the token in ${chain}/miner-auth-token`,
      `using the certificate's SHA-256 in ${chain}/miner-tls-cert-sha256`,
    ])
    const elsewhere = serve(["--node-addr", "10.0.0.7"], { HOME: "/home/me" }, nodeFiles)
    expect(await errorOf(elsewhere)).toStartWith(
      "78 quic://10.0.0.7:9833 needs a token: specify --auth-token-file FILE",
    )
  })

  test("a node on this machine that has written no credentials yet is waited for", async () => {
    const missing = async (args: readonly string[], files: Parameters<typeof serve>[2]) => {
      const error = await serve([...args], { HOME: "/home/me" }, files).catch(thrown => thrown)
      return error instanceof MissingSecret ? error.path : String(error)
    }
    const base = "/home/me/.local/share/quantus-node"
    const begun = { [`${base}/chains/planck/keystore/key`]: "" }
    expect(await missing([], begun)).toBe(`${base}/chains/planck/miner-auth-token`)
    expect(await missing([], { [`${base}/lock`]: "" })).toBe(`${base}/chains/mainnet/miner-auth-token`)
    expect(await missing(["--chain", "dirac"], begun)).toBe(`${base}/chains/dirac/miner-auth-token`)
    expect(await missing(["--auth-token", "x"], begun)).toBe(`${base}/chains/planck/miner-tls-cert-sha256`)
    for (const files of [{}, { "/home/me/other": "" }]) expect(await missing([], files)).toContain("needs a token")
    expect(await missing(["--node-addr", "10.0.0.7"], begun)).toContain("needs a token")
  })

  test("the path of a file that does not exist yet is absolute", async () => {
    const args = ["--auth-token-file", "absent-token", "--tls-cert-sha256", PIN]
    const error = await resolveConfig("serve", args, {}, systemFiles).catch(thrown => thrown)
    expect(error).toBeInstanceOf(MissingSecret)
    expect(error.path).toBe(resolve("absent-token"))
  })

  test("the pin is looked up in the directory of the token", async () => {
    const args = ["--node-addr", "10.0.0.7", "--auth-token-file", `${chain}/miner-auth-token`]
    expect(quic(await serve(args, {}, nodeFiles)).pin.read()).toBe(PIN)
  })

  describe("of two chains with credentials", () => {
    const chains = "/home/me/.local/share/quantus-node/chains"
    const filesOf = (...names: string[]) =>
      Object.fromEntries(
        names.flatMap(name => [
          [`${chains}/${name}/miner-auth-token`, `token-of-${name}`],
          [`${chains}/${name}/miner-tls-cert-sha256`, PIN],
        ]),
      )
    const env = { HOME: "/home/me" }

    test("mainnet is used, with a line that names --chain", async () => {
      const config = await serve([], env, filesOf("dirac", "mainnet"))
      expect(quic(config).token.read()).toBe("token-of-mainnet")
      expect(config.notes[0]).toEqual({
        level: "info",
        message: `2 chains have credential files in ${chains}: using mainnet; --chain chooses another`,
      })
    })

    test("--chain or MINER_CHAIN chooses, without that line", async () => {
      for (const [args, more] of [
        [["--chain", "dirac"], {}],
        [[], { MINER_CHAIN: "dirac" }],
      ] as const) {
        const config = await serve([...args], { ...env, ...more }, filesOf("dirac", "mainnet"))
        expect(quic(config).token.read()).toBe("token-of-dirac")
        expect(config.notes.map(({ message }) => message).join()).not.toContain("--chain")
      }
    })

    test("neither of them mainnet is an error that names both", async () => {
      expect(await errorOf(serve([], env, filesOf("dirac", "planck")))).toBe(
        `78 quic://127.0.0.1:9833 matches more than one chain in ${chains}, dirac, planck: specify --chain CHAIN`,
      )
    })

    test("a chain without credentials is an error that names those with them", async () => {
      expect(await errorOf(serve(["--chain", "planck"], env, filesOf("dirac", "mainnet")))).toBe(
        `78 --chain planck has no credential files in ${chains}; chains that have them: dirac, mainnet`,
      )
    })
  })
})

describe("notes", () => {
  const messages = async (...args: Parameters<typeof serve>) => (await serve(...args)).notes.map(note => note.message)

  test("a secret file that others can read causes a warning with the remedy", async () => {
    const files = { "/t": { text: TOKEN, mode: 0o644 }, "/p": { text: PIN, mode: 0o644 } }
    const args = ["--auth-token-file", "/t", "--tls-cert-sha256-file", "/p"]
    const warning = "/t contains a token, but its mode 0644 lets other users read it: run chmod 600 /t"
    expect(await messages(args, {}, files)).toEqual([warning])
  })

  test("a configuration file that contains a secret does so too", async () => {
    const files = { "/miner.toml": { text: 'auth_token = "x"', mode: 0o640 } }
    expect(await messages(["--config", "/miner.toml"], CREDENTIALS, files)).toEqual([
      "/miner.toml contains a secret, but its mode 0640 lets other users read it: run chmod 600 /miner.toml",
    ])
  })

  test("an unknown variable causes a warning", async () => {
    expect(await messages([], { ...CREDENTIALS, MINER_CPU_WORKRS: "2" })).toEqual([
      "unknown variable MINER_CPU_WORKRS is ignored",
    ])
  })
})

describe("errors", () => {
  test("about flags and variables name the origin and the value", async () => {
    const cases: [string[], Environment][] = [
      [["--cpu-workers", "two"], CREDENTIALS],
      [["--cpu-workers", "-1"], CREDENTIALS],
      [["--cpu-workers", ""], CREDENTIALS],
      [[], { ...CREDENTIALS, MINER_WORKERS: "99999" }],
      [[], { ...CREDENTIALS, MINER_ENGINE: " " }],
      [["--engine", "AVX 512"], CREDENTIALS],
      [["--cpu-affinity", "3-1"], CREDENTIALS],
      [["--gpu-devices", "a"], CREDENTIALS],
      [["--log-format", "xml"], CREDENTIALS],
      [["--metrics-port", "70000"], CREDENTIALS],
      [["--node-addr", "host:port"], CREDENTIALS],
      [[], { ...CREDENTIALS, MINER_VERBOSE: "maybe" }],
      [["--url", "quic://me:hunter2@node"], CREDENTIALS],
      [["--url", "quic://a", "--node-addr", "b"], CREDENTIALS],
      [["--url", "quic://a,quic://a:9833"], CREDENTIALS],
      [["--auth-token", ""], CREDENTIALS],
      [["--auth-token", "hunter2\n\nhunter2"], CREDENTIALS],
      [["--auth-token", "x", "--auth-token-file", "/t"], CREDENTIALS],
      [["--tls-cert-sha256", "hunter2"], CREDENTIALS],
      [[], { MINER_AUTH_TOKEN: TOKEN }],
      [["--url", "stratum+tcp://pool:1"], {}],
    ]
    const lines = await Promise.all(cases.map(([args, env]) => errorOf(serve(args, env))))
    expect(lines.join("\n")).toMatchSnapshot()
  })

  test("about files name the path and the problem", async () => {
    const files = {
      "/empty": " \n",
      "/long": "x".repeat(513),
      "/two": "hunter2\nhunter2",
      "/locked": { code: "EACCES" },
      "/dir": { code: "EISDIR" },
      "/odd": { code: "EIO" },
    }
    const paths = ["/none", ...Object.keys(files)]
    const lines = await Promise.all(paths.map(path => errorOf(serve(["--auth-token-file", path], {}, files))))
    lines.push(await errorOf(serve(["--config", "/none"])))
    lines.push(await errorOf(serve([], { ...CREDENTIALS, MINER_CONFIG: "/none" })))
    expect(lines.join("\n")).toMatchSnapshot()
  })

  test("about a configuration file name the line and the key", async () => {
    const contents = [
      "cpu_workers = ",
      'cpu_workers = "many"',
      "cpu_workers = true",
      "\nverbose = 1",
      "engine = wasm",
      "cpu-workers = 1",
      "wrokers = 1",
      "duration = 3",
      "[metrics]\nport = 1",
      "cpu_workers = 1\ncpu_workers = 2",
      "auth_token = 7",
      'auth_token = ""',
      '[[source]]\nurl = "quic://a"\nengine = "wasm"',
      '\n[[source]]\nlogin = "a"',
      '[[source]]\nurl = "quic://a"\n[[source]]\nurl = "ftp://b"',
      '[[source]]\nurl = "quic://a,quic://b"',
      'url = "quic://a"\n[[source]]\nurl = "quic://b"',
      'source = "quic://a"',
      'url = ["quic://a", 3]',
      "engine = 1979-05-27",
      '[[source]]\nurl = "quic://a"\nauth_token_file = "none"',
    ]
    const lines: string[] = []
    for (const content of contents) {
      lines.push(await errorOf(serve(["--config", "/c/m.toml"], {}, { "/c/m.toml": content })))
    }
    for (const content of [
      '{"cpu_workers": 1,\n "engine": }',
      '{\n"engine": null}',
      "[]",
      "",
      '{"source": [\n{"url": 1}]}',
    ]) {
      lines.push(await errorOf(serve(["--config", "/c/m.json"], {}, { "/c/m.json": content })))
    }
    expect(lines.join("\n")).toMatchSnapshot()
  })
})

test("JSON and TOML resolve to the same configuration", async () => {
  const toml = 'cpu_workers = 2\ngpu_devices = 0\n[[source]]\nurl = "quic://a"\nkeep_mining = true'
  const json = '{"cpu_workers": 2, "gpu_devices": "0",\n "source": [{"url": "quic://a", "keep_mining": true}]}'
  const files = { "/m.toml": toml, "/m.json": json }
  const [one, other] = await Promise.all(Object.keys(files).map(path => serve(["--config", path], CREDENTIALS, files)))
  const plain = (config: Config<"serve">) => JSON.stringify([config.settings, config.sources]).replace(/\/m\.\w+/g, "")
  expect(plain(one!)).toBe(plain(other!))
})

test("any configuration file is read or rejected with an OperatorError", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.constantFrom("/m.toml", "/m.json"), async (content, path) => {
      const outcome = await serve(["--config", path], CREDENTIALS, { [path]: content }).catch(error => error)
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(OperatorError)
    }),
  )
})

describe("the state directory", () => {
  const stateDir = async (env: Environment, ...args: string[]) =>
    (await resolveConfig("benchmark", args, env, memoryFiles({}))).stateDir

  test("is --state-dir, else the service's, else the user's", async () => {
    const env = { STATE_DIRECTORY: "/var/lib/a:/var/lib/b", XDG_STATE_HOME: "/x", HOME: "/home/me" }
    expect(await stateDir(env, "--state-dir", "/s")).toBe("/s")
    expect(await stateDir(env)).toBe("/var/lib/a")
    expect(await stateDir({ ...env, STATE_DIRECTORY: undefined })).toBe("/x/quantus-miner")
    expect(await stateDir({ HOME: "/home/me" })).toBe("/home/me/.local/state/quantus-miner")
    expect(await stateDir({})).toBeUndefined()
  })
})

test("the maximum age of a job is a duration", async () => {
  const config = await resolveConfig(
    "serve",
    ["--max-job-age", "10m", "--url", "stratum+tcp://pool:1", "--login", "a.b"],
    {},
    systemFiles,
  )
  expect(config.settings.maxJobAge).toBe(600)
})

test("the failover patience is a duration", async () => {
  const config = await resolveConfig(
    "serve",
    ["--failover-patience", "30s", "--url", "stratum+tcp://pool:1", "--login", "a.b"],
    {},
    systemFiles,
  )
  expect(config.settings.failoverPatience).toBe(30)
})
