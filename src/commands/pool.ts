/** `pool`: runs the development pool until stopped. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { addressText } from "../config/parse.ts"
import { startPool } from "../devnode/pool.ts"
import { describePoolEvent, describePoolTotals } from "../devnode/pool-describe.ts"
import { listenAddress } from "./listen-address.ts"
import { openOutput } from "./output.ts"
import { aborted, stopSignal } from "./stop-signal.ts"

export async function run({ settings, notes }: Config<"pool">): Promise<void> {
  const stop = stopSignal()
  const { log } = openOutput(settings, notes)
  const { host, port, difficulty, intervalMs } = settings
  const address = await listenAddress(host)
  const pool = await startPool({
    address,
    port,
    difficulty,
    intervalMs,
    clock,
    onEvent(event) {
      const line = describePoolEvent(event)
      if (line !== undefined) log.info(line)
    },
  })
  const at = addressText({ host: address, port: pool.port })
  log.success(`listening on ${at}; any login is accepted`)
  log.info(`quantus-miner serve --url stratum+tcp://${at} --login miner.1`)
  await aborted(stop)
  await pool.close()
  log.info(describePoolTotals(pool.totals))
}
