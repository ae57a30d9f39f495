/** Token and TLS identity of the metrics server. */

import { createPrivateKey, X509Certificate } from "node:crypto"
import type { Environment } from "../environment.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { TlsIdentity } from "../http/server.ts"
import { credentialFile, handedOver } from "./credentials.ts"
import { type Files, readGivenFile } from "./files.ts"
import { looseMode, MissingSecret, type Secret, type SecretKind, TOKEN } from "./secrets.ts"

export interface MonitoringConfig {
  /** Undefined if the metrics are open. */
  readonly token: Secret | undefined
  /** Undefined if they are served without TLS. */
  readonly tls: TlsFiles | undefined
}

export interface TlsFiles {
  /** Returns the current content. @throws OperatorError (config) if it is unusable */
  read(): TlsIdentity
}

export interface MonitoringInputs {
  readonly tokenFile: string | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly env: Environment
  readonly files: Files
  readonly warn: (message: string) => void
}

const METRICS_TOKEN: SecretKind = { ...TOKEN, name: "metrics token" }
const CREDENTIAL = "miner-metrics-token"
const PRIVATE_KEY = { name: "private key", confidential: true }

/** @throws OperatorError (config) if a file is missing or unusable, or if only one of certificate and key is given */
export function resolveMonitoring({
  tokenFile,
  tlsCert,
  tlsKey,
  env,
  files,
  warn,
}: MonitoringInputs): MonitoringConfig {
  return { token: tokenOf(tokenFile, env, files, warn), tls: tlsOf(tlsCert, tlsKey, files, warn) }
}

function tokenOf(
  path: string | undefined,
  env: Environment,
  files: Files,
  warn: (message: string) => void,
): Secret | undefined {
  if (path === undefined) return handedOver(CREDENTIAL, METRICS_TOKEN, env, files)
  try {
    return credentialFile(path, "--metrics-token-file", METRICS_TOKEN, files, warn)
  } catch (error) {
    // Unlike a node's token, no other program is about to create it.
    throw error instanceof MissingSecret ? new OperatorError(error.message, ExitCode.config) : error
  }
}

function tlsOf(
  cert: string | undefined,
  key: string | undefined,
  files: Files,
  warn: (message: string) => void,
): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new OperatorError("--metrics-tls-cert and --metrics-tls-key require each other", ExitCode.config)
  }
  const read = () => readIdentity(cert, key, files)
  read()
  const loose = looseMode(key, PRIVATE_KEY, files)
  if (loose) warn(loose)
  return { read }
}

function readIdentity(certPath: string, keyPath: string, files: Files): TlsIdentity {
  const [cert, key] = [
    readGivenFile(certPath, "--metrics-tls-cert", files),
    readGivenFile(keyPath, "--metrics-tls-key", files),
  ]
  const refuse = (problem: string) => new OperatorError(problem, ExitCode.config)
  const attempt = <T>(parse: () => T, problem: string): T => {
    try {
      return parse()
    } catch {
      throw refuse(problem)
    }
  }
  const certificate = attempt(
    () => new X509Certificate(cert),
    `--metrics-tls-cert: ${certPath} must contain a PEM certificate`,
  )
  const privateKey = attempt(
    () => createPrivateKey(key),
    `--metrics-tls-key: ${keyPath} must contain a PEM private key without a passphrase`,
  )
  if (!certificate.checkPrivateKey(privateKey)) {
    throw refuse(`--metrics-tls-key: ${keyPath} is not the key of the certificate in ${certPath}`)
  }
  return { cert, key }
}
