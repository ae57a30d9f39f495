/** `health`: asks a miner on this machine whether it is ready, for containers and supervisors. */
import type { Config } from "../config/config.ts"
import type { Settings } from "../config/options.ts"
import { addressText } from "../config/parse.ts"
import { ExitCode, OperatorError } from "../errors.ts"

const TIMEOUT_MS = 3000

/** Prints `ready`, or why the miner is not ready and exits with 1. */
export async function run({ settings, monitoring }: Config<"health">): Promise<void> {
  const { healthUrl } = settings
  const problem = await notReady(new URL("/-/ready", healthUrl ?? localUrl(settings)), {
    token: monitoring.token?.read(),
    // The certificate names the machine, not the local address.
    rejectUnauthorized: healthUrl !== undefined,
  })
  console.log(problem ?? "ready")
  if (problem !== undefined) process.exitCode = ExitCode.failure
}

/** Address of the monitoring server that the same settings make `serve` open. @throws OperatorError (usage) */
export function localUrl({
  metricsPort,
  metricsHost,
  metricsTlsCert,
}: Pick<Settings<"health">, "metricsPort" | "metricsHost"> & { readonly metricsTlsCert?: string | undefined }): URL {
  if (!metricsPort) {
    throw new OperatorError(
      "health needs the miner's address: specify --url http://HOST:PORT, --metrics-port or MINER_METRICS_PORT",
      ExitCode.usage,
    )
  }
  const host = metricsHost === "0.0.0.0" ? "127.0.0.1" : metricsHost === "::" ? "::1" : metricsHost
  return new URL(`${metricsTlsCert ? "https" : "http"}://${addressText({ host, port: metricsPort })}`)
}

interface Access {
  /** Without it, a server that requires one does not state its reason. */
  readonly token: string | undefined
  readonly rejectUnauthorized: boolean
}

async function notReady(url: URL, { token, rejectUnauthorized }: Access): Promise<string | undefined> {
  // A proxy that the environment names must not stand between a miner and its probe.
  process.env["NO_PROXY"] = url.hostname
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "manual",
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      tls: { rejectUnauthorized },
    })
    if (answer.status === 200) return
    const text = (await answer.text()).trim().slice(0, 500)
    return answer.status === 503 && text !== "" ? text : `${url} answered ${answer.status}`
  } catch (error) {
    const isTimeout = (error as Error).name === "TimeoutError"
    return isTimeout ? `${url} did not answer within ${TIMEOUT_MS / 1000} s` : `${url} cannot be reached`
  }
}
