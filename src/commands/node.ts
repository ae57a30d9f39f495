/** `node`: runs the development node until stopped. */
import { join, resolve } from "node:path"
import { systemClock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { fileProblem } from "../config/files.ts"
import { addressText } from "../config/parse.ts"
import { describeEvent, describeTotals } from "../devnode/describe.ts"
import { PIN_FILE, TOKEN_FILE } from "../devnode/identity.ts"
import { startNode } from "../devnode/node.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { listenAddress } from "./listen-address.ts"
import { openOutput } from "./output.ts"
import { aborted, stopSignal } from "./stop-signal.ts"

export async function run({ settings, notes }: Config<"node">): Promise<void> {
  const stop = stopSignal()
  const { log } = openOutput(settings, notes)
  const { host, port, difficulty, intervalMs } = settings
  const dir = resolve(settings.dir)
  const address = await listenAddress(host)
  const node = await startNode({
    address,
    port,
    dir,
    difficulty,
    intervalMs,
    clock: systemClock,
    onEvent(event) {
      const line = describeEvent(event)
      if (line !== undefined) log.info(line)
    },
  }).catch(error => {
    const problem = fileProblem(error)
    throw problem ? new OperatorError(`--dir: ${error.path ?? dir} ${problem}`, ExitCode.config) : error
  })
  const at = addressText({ host: address, port: node.port })
  log.success(`listening on ${at}; the token and the pin for miners are in ${dir}`)
  const files = `--auth-token-file ${join(dir, TOKEN_FILE)} --tls-cert-sha256-file ${join(dir, PIN_FILE)}`
  log.info(`quantus-miner serve --node-addr ${at} ${files}`)
  await aborted(stop)
  await node.close()
  log.info(describeTotals(node.totals, difficulty))
}
