/** `serve`: mines for a node or a pool until stopped. */
import type { Config } from "../config/config.ts"
import { checkUpdates } from "./check-updates.ts"
import { mine } from "./mining.ts"
import { openOutput } from "./output.ts"
import { openSources } from "./sources.ts"
import { stopSignal } from "./stop-signal.ts"

export async function run(config: Config<"serve">): Promise<void> {
  const stop = stopSignal()
  const output = openOutput(config.settings, config.notes)
  if (config.settings.checkUpdates) void checkUpdates(config.settings.checkUpdates, output.log)
  await mine({
    config,
    output,
    stop,
    maxJobAgeSeconds: config.settings.maxJobAge,
    openSource: context => openSources(config.sources, context, config.settings.failoverPatience),
  })
}
