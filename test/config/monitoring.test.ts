import { beforeAll, describe, expect, test } from "bun:test"
import { resolveConfig } from "../../src/config/config.ts"
import { OperatorError } from "../../src/errors.ts"
import { createPem } from "../support/pem.ts"
import { type MemoryFile, memoryFiles } from "./memory-files.ts"

const SOURCE = { MINER_AUTH_TOKEN: "t", MINER_TLS_CERT_SHA256: "ab".repeat(32) }

type Pem = Awaited<ReturnType<typeof createPem>>

let pem: Pem
let other: Pem
beforeAll(async () => {
  ;[pem, other] = [await createPem(), await createPem()]
})

async function monitoring(env: Record<string, string>, files: Readonly<Record<string, string | MemoryFile>>) {
  const variables = { MINER_METRICS_PORT: "9900", ...SOURCE, ...env }
  const { monitoring, notes } = await resolveConfig("serve", [], variables, memoryFiles(files))
  return { ...monitoring, notes: notes.map(({ level, message }) => `${level} ${message}`) }
}

async function errorOf(...given: Parameters<typeof monitoring>): Promise<string> {
  const error = await monitoring(...given).then(
    () => new Error("no error"),
    error => error,
  )
  if (!(error instanceof OperatorError)) throw error
  return `${error.exitCode} ${error.message}`
}

describe("the metrics token", () => {
  const env = { MINER_METRICS_TOKEN_FILE: "/token" }

  test("is read from its file, again when asked", async () => {
    const files: Record<string, string> = { "/token": "first\n" }
    const { token, notes } = await monitoring(env, files)
    expect(token?.read()).toBe("first")
    files["/token"] = "second\n"
    expect(token?.read()).toBe("second")
    expect(notes).toEqual([])
  })

  test("is absent without an option", async () => {
    expect((await monitoring({}, {})).token).toBeUndefined()
  })

  test("is taken from the service manager, whose empty default means that it is absent", async () => {
    const env = { CREDENTIALS_DIRECTORY: "/run/credentials" }
    const given = await monitoring(env, { "/run/credentials/miner-metrics-token": "handed\n" })
    expect(given.token?.read()).toBe("handed")
    const empty = await monitoring(env, { "/run/credentials/miner-metrics-token": "\n" })
    expect(empty.token).toBeUndefined()
  })

  test("in a file that others can read causes a warning", async () => {
    const { notes } = await monitoring(env, { "/token": { text: "secret", mode: 0o644 } })
    expect(notes).toEqual([
      "warn /token contains a metrics token, but its mode 0644 lets other users read it: run chmod 600 /token",
    ])
  })

  test.each([
    ["missing", {}, "does not exist"],
    ["empty", { "/token": "" }, "is empty"],
    ["of two lines", { "/token": "a\nb" }, "U+000A"],
  ])("%s is a configuration error, for which nobody waits", async (_what, files, problem) => {
    const text = await errorOf(env, files as Record<string, string>)
    expect(text).toStartWith("78 --metrics-token-file: /token ")
    expect(text).toContain(problem)
  })
})

describe("the metrics certificate", () => {
  const env = { MINER_METRICS_TLS_CERT: "/cert", MINER_METRICS_TLS_KEY: "/key" }

  test("is read with its key", async () => {
    const { tls, notes } = await monitoring(env, { "/cert": pem.cert, "/key": pem.key })
    expect(tls?.read()).toEqual(pem)
    expect(notes).toEqual([])
  })

  test("with a key that others can read causes a warning", async () => {
    const { notes } = await monitoring(env, { "/cert": pem.cert, "/key": { text: pem.key, mode: 0o640 } })
    expect(notes).toEqual([
      "warn /key contains a private key, but its mode 0640 lets other users read it: run chmod 600 /key",
    ])
  })

  test("requires the key, and the reverse", async () => {
    const wanted = "78 --metrics-tls-cert and --metrics-tls-key require each other"
    expect(await errorOf({ MINER_METRICS_TLS_CERT: "/cert" }, { "/cert": pem.cert })).toBe(wanted)
    expect(await errorOf({ MINER_METRICS_TLS_KEY: "/key" }, { "/key": pem.key })).toBe(wanted)
  })

  test("that is missing, malformed or of another key is a configuration error", async () => {
    const cases: [files: Record<string, string>, message: string][] = [
      [{ "/key": pem.key }, "--metrics-tls-cert: /cert does not exist"],
      [{ "/cert": pem.cert }, "--metrics-tls-key: /key does not exist"],
      [{ "/cert": "x", "/key": pem.key }, "--metrics-tls-cert: /cert must contain a PEM certificate"],
      [
        { "/cert": pem.cert, "/key": "x" },
        "--metrics-tls-key: /key must contain a PEM private key without a passphrase",
      ],
      [{ "/cert": pem.cert, "/key": other.key }, "--metrics-tls-key: /key is not the key of the certificate in /cert"],
    ]
    for (const [files, message] of cases) expect(await errorOf(env, files)).toBe(`78 ${message}`)
  })
})
