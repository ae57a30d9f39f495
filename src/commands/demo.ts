/** `demo`: runs a development node and a miner in one process until the given number of seals is accepted. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { addressText } from "../config/parse.ts"
import type { QuicSourceConfig } from "../config/sources.ts"
import { describeEvent, describeTotals } from "../devnode/describe.ts"
import { startNode } from "../devnode/node.ts"
import type { JobSource } from "../sources/source.ts"
import { mine } from "./mining.ts"
import { type Output, openOutput } from "./output.ts"
import { openSources } from "./sources.ts"
import { stopSignal } from "./stop-signal.ts"

export async function run(config: Config<"demo">): Promise<void> {
  const { settings, sources, notes } = config
  const stop = stopSignal()
  const output = openOutput(settings, notes)
  const goal = new Goal(settings.seals)
  const end = AbortSignal.any([stop, goal.reached])
  if (sources.length > 0) {
    await mine({
      config,
      output,
      stop: end,
      maxJobAgeSeconds: settings.maxJobAge,
      openSource: async context => goal.watch(await openSources(sources, context, settings.failoverPatience)),
    })
  } else {
    await mineForOwnNode(config, output, end, goal)
  }
  // A signal ends the demo normally, even before the wanted number is reached.
  if (goal.reached.aborted) output.log.success(`demo finished: ${goal}`)
  else output.log.info(`demo stopped: ${goal}`)
}

async function mineForOwnNode(config: Config<"demo">, output: Output, stop: AbortSignal, goal: Goal): Promise<void> {
  const { difficulty, intervalMs } = config.settings
  const log = output.log.withTag("node")
  const dir = await mkdtemp(join(tmpdir(), "quantus-demo-"))
  const node = await startNode({
    address: "127.0.0.1",
    port: 0,
    dir,
    difficulty,
    intervalMs,
    clock,
    onEvent(event) {
      const line = describeEvent(event)
      if (line !== undefined) log.info(line)
      if (event.type === "result" && event.verdict === "valid") goal.count()
    },
  })
  const { identity, port } = node
  const address = { host: "127.0.0.1", port }
  const source: QuicSourceConfig = {
    ...address,
    protocol: "quic",
    name: `quic://${addressText(address)}`,
    token: { description: "the demo's token", read: () => identity.token },
    pin: { description: "the demo's pin", read: () => identity.pin },
    keepMining: false,
  }
  try {
    await mine({
      config,
      output,
      stop,
      maxJobAgeSeconds: config.settings.maxJobAge,
      openSource: context => openSources([source], context, config.settings.failoverPatience),
    })
  } finally {
    await node.close()
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    log.info(describeTotals(node.totals, difficulty))
  }
}

/** Counts accepted seals up to the wanted number. */
class Goal {
  readonly #wanted: number
  readonly #controller = new AbortController()
  #accepted = 0

  constructor(wanted: number) {
    this.#wanted = wanted
  }

  get reached(): AbortSignal {
    return this.#controller.signal
  }

  count(): void {
    this.#accepted += 1
    if (this.#accepted >= this.#wanted) this.#controller.abort()
  }

  /** Wraps a source to count its accepted seals. */
  watch(source: JobSource): JobSource {
    return {
      name: source.name,
      start: events => source.start(events),
      submit: async seal => {
        const verdict = await source.submit(seal)
        // A node never replies, so a sent seal counts.
        if (verdict.result === "accepted" || verdict.result === "sent") this.count()
        return verdict
      },
      exhausted: (job, hashes, seconds) => source.exhausted?.(job, hashes, seconds),
      close: () => source.close(),
    }
  }

  toString(): string {
    // More shares than wanted can be accepted, since some may be in flight when the goal is reached.
    const accepted = this.#accepted < this.#wanted ? `${this.#accepted} of ${this.#wanted}` : this.#accepted
    return `${accepted} seals accepted`
  }
}
