/** `sources`: connects to each configured source once and shows its latencies and the state of its certificate. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { SourceConfig } from "../config/sources.ts"
import { ExitCode } from "../errors.ts"
import type { Log } from "../log.ts"
import { type CertificateFacts, certificateFacts } from "../sources/certificate.ts"
import { probe } from "../sources/probe.ts"
import { aligned } from "./aligned.ts"
import { openOutput } from "./output.ts"
import { openSource, presentedCertificate } from "./sources.ts"

/** Longest time to a source's first job: a node that is syncing has none. */
const TIMEOUT_MS = 10_000

const SILENT: Log = { debug() {}, info() {}, success() {}, warn() {}, error() {}, withTag: () => SILENT }

export async function run({ settings, sources, notes }: Config<"sources">): Promise<void> {
  openOutput(settings, notes)
  const rows = await Promise.all(sources.map(measure))
  console.log(settings.json ? JSON.stringify({ sources: rows.map(entryOf) }) : textOf(rows))
  if (rows.some(({ problem }) => problem !== undefined)) process.exitCode = ExitCode.failure
}

interface Row {
  readonly config: SourceConfig
  readonly latencies: Latencies
  /** Why there is no job. */
  readonly problem: string | undefined
  readonly certificate: CertificateFacts | undefined
  readonly trust: string
}

/** Milliseconds; undefined for a step that was not reached, and for the login of a node, which does not answer it. */
interface Latencies {
  /** From the start to the open connection, with TLS or the QUIC handshake. */
  readonly connect: number | undefined
  readonly login: number | undefined
  /** From the login to the first job. */
  readonly job: number | undefined
}

async function measure(config: SourceConfig): Promise<Row> {
  const make = await openSource(config, { clock, log: SILENT })
  const startedAt = clock.now()
  let connect: number | undefined
  let trusted: Uint8Array | undefined
  const source = make(der => {
    connect ??= clock.now() - startedAt
    trusted ??= der
  })
  const { connectedMs, jobMs, problem } = await probe(source, clock, TIMEOUT_MS)
  const der = trusted ?? (config.protocol === "stratum+tls" ? await presentedCertificate(config) : undefined)
  const certificate = der && certificateFacts(der, Date.now())
  const login = config.protocol === "quic" ? undefined : difference(connect, connectedMs)
  return {
    config,
    latencies: { connect, login, job: difference(connectedMs, jobMs) },
    problem:
      problem ??
      (jobMs === undefined
        ? `no ${connectedMs === undefined ? "connection" : "job"} within ${TIMEOUT_MS / 1000} s`
        : undefined),
    certificate,
    trust: trustOf(config, trusted !== undefined, certificate),
  }
}

const difference = (from: number | undefined, to: number | undefined): number | undefined =>
  from === undefined || to === undefined ? undefined : to - from

/** How the miner judges the certificate. A rejected one was read over a second connection, without a login. */
function trustOf(config: SourceConfig, isTrusted: boolean, facts: CertificateFacts | undefined): string {
  if (config.protocol === "stratum+tcp") return "not encrypted"
  if (!facts) return "not seen"
  const pin = config.pin?.read()
  if (pin !== undefined) return pin === facts.sha256 ? "matches the pin" : "differs from the pin"
  return isTrusted ? "trusted by this machine" : "not trusted by this machine"
}

function entryOf({ config, latencies, problem, certificate, trust }: Row): object {
  const { connect = null, login = null, job = null } = latencies
  return {
    url: config.name,
    connect_ms: connect,
    login_ms: login,
    job_ms: job,
    certificate: {
      state: trust,
      sha256: certificate?.sha256 ?? null,
      subject: certificate?.subject ?? null,
      issuer: certificate?.issuer ?? null,
      valid_to: certificate?.validTo ?? null,
      days_left: certificate?.daysLeft ?? null,
    },
    problem: problem ?? null,
  }
}

function textOf(rows: readonly Row[]): string {
  const table = rows.map(({ config, latencies, certificate, trust }) => [
    config.name,
    milliseconds(latencies.connect),
    config.protocol === "quic" ? "unanswered" : milliseconds(latencies.login),
    milliseconds(latencies.job),
    certificate ? `${trust}, ${lifeOf(certificate)}` : trust,
  ])
  const details = rows.flatMap(({ config, problem, certificate }) => [
    ...(certificate ? [`${config.name}: SHA-256 ${certificate.sha256}, issued by ${certificate.issuer}`] : []),
    ...(problem === undefined ? [] : [`${config.name}: ${problem}`]),
  ])
  return [aligned([["Source", "Connect", "Login", "Job", "Certificate"], ...table]), ...details].join("\n")
}

const milliseconds = (ms: number | undefined): string => (ms === undefined ? "none" : `${ms.toFixed(1)} ms`)

const lifeOf = ({ daysLeft }: CertificateFacts): string =>
  daysLeft < 0 ? `expired ${-daysLeft} days ago` : `valid for ${daysLeft} days`
