/** An Authenticode signature on the executable for Windows, by a certificate made for this test. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { certificateOf, signAuthenticode } from "../../scripts/release/authenticode.ts"
import { ARTEFACTS, unpack } from "./artefacts.ts"

const windows = ARTEFACTS.find(({ name }) => name === "windows-x64")!
const lacks = ["osslsigncode", "openssl"].find(tool => !Bun.which(tool)) ?? windows.missing

describe.skipIf(lacks !== undefined)(`Authenticode${lacks ? ` (skipped: needs ${lacks})` : ""}`, () => {
  let directory = ""
  let signed = ""
  const run = (...command: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: directory, stdin: "ignore" })
    return { exitCode, output: `${stdout}${stderr}` }
  }

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "quantus-authenticode-"))
    writeFileSync(join(directory, "password"), "secret")
    const subject = ["-subj", "/CN=quantus-miner test", "-addext", "extendedKeyUsage=codeSigning"]
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "certificate.pem", "-days", "3650"]
    expect(run("openssl", "req", "-x509", ...key, ...subject).exitCode).toBe(0)
    const pair = ["-inkey", "key.pem", "-in", "certificate.pem", "-out", "pair.p12", "-passout", "file:password"]
    expect(run("openssl", "pkcs12", "-export", ...pair).exitCode).toBe(0)
    signed = join(directory, "quantus-miner.exe")
    copyFileSync(unpack("windows-x64"), signed)
    const env = {
      AUTHENTICODE_PKCS12: join(directory, "pair.p12"),
      AUTHENTICODE_PASSWORD_FILE: join(directory, "password"),
    }
    signAuthenticode(signed, certificateOf(env)!, 1_764_000_000)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test("is valid, and a changed byte is noticed", () => {
    const verify = () => run("osslsigncode", "verify", "-CAfile", "certificate.pem", "-in", "quantus-miner.exe")
    expect(verify()).toMatchObject({ exitCode: 0, output: expect.stringContaining("Signature verification: ok") })
    const bytes = readFileSync(signed)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(signed, bytes)
    expect(verify().exitCode).not.toBe(0)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(signed, bytes)
  })

  test("leaves the executable whole", () => {
    const [wine] = windows.command()
    const { exitCode, output } = run(wine!, signed, "--version")
    expect(`${exitCode} ${output}`.trim()).toBe(`0 quantus-miner ${packageJson.version}`)
  })
})

test("a certificate requires a password file; without a certificate nothing is signed", () => {
  expect(certificateOf({})).toBeUndefined()
  expect(() => certificateOf({ AUTHENTICODE_PKCS12: "x" })).toThrow("AUTHENTICODE_PASSWORD_FILE")
})
