/** `serve`: mines for a node or a pool until it is stopped. */
import type { Config } from "../config/config.ts"
import { mine } from "./mining.ts"
import { openOutput } from "./output.ts"
import { openSources } from "./sources.ts"
import { stopSignal } from "./stop-signal.ts"

export async function run({ settings, sources, notes }: Config<"serve">): Promise<void> {
  const stop = stopSignal()
  const output = openOutput(settings, notes)
  await mine({ settings, output, stop, openSource: context => openSources(sources, context) })
}
