/** What `setup` asks for, and the configuration file that it writes. */
import { existsSync } from "node:fs"

export interface Answers {
  /** URL of the source: `quic://…` for a node or a pool, `stratum+…` for a pool. */
  readonly url: string
  readonly login?: string | undefined
  /** A token itself, or the file that holds it; likewise the pin. */
  readonly token?: Credential | undefined
  readonly pin?: Credential | undefined
  readonly cpuWorkers: number
  /** As `--gpu-devices`. */
  readonly gpuDevices: string
  /** Undefined: no metrics and no status page. */
  readonly metricsPort?: number | undefined
}

export type Credential = { readonly value: string } | { readonly file: string }

/** A token or pin as typed: a path if it looks like one, or names an existing file. */
export function credential(text: string, exists: (path: string) => boolean = existsSync): Credential {
  return /^[./~]|^[A-Za-z]:[\\/]/.test(text) || exists(text) ? { file: text } : { value: text }
}

/** The configuration in TOML. Relative paths in it are relative to its directory. */
export function configText(answers: Answers): string {
  const { url, login, token, pin, cpuWorkers, gpuDevices, metricsPort } = answers
  const lines = [
    "# Written by quantus-miner setup. Every option: quantus-miner serve --help",
    `cpu_workers = ${cpuWorkers}`,
    `gpu_devices = ${quoted(gpuDevices)}`,
    ...(metricsPort === undefined ? [] : [`metrics_port = ${metricsPort}`]),
    "",
    "[[source]]",
    `url = ${quoted(url)}`,
    ...(login === undefined ? [] : [`login = ${quoted(login)}`]),
    ...credentialLine("auth_token", token),
    ...credentialLine("tls_cert_sha256", pin),
  ]
  return `${lines.join("\n")}\n`
}

function credentialLine(key: string, given: Credential | undefined): string[] {
  if (!given) return []
  return "file" in given ? [`${key}_file = ${quoted(given.file)}`] : [`${key} = ${quoted(given.value)}`]
}

/** A TOML basic string; JSON's escapes are a subset of TOML's. Braces and dollar signs keep their meaning. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f")
}
