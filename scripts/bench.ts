/**
 * Compares the hash rates of all CPU engines, and of other miners, in one run. Contenders take turns in every round, so
 * that a change in the machine's speed affects all of them.
 *
 *     npm run bench -- --workers 1 --rounds 7 --seconds 2 --engines avx2,wasm --against ./other-miner --json bench.json
 *
 * `--against` (repeatable) takes executables that accept `benchmark --cpu-workers N --gpu-devices 0 --duration S` and
 * print a line `Average rate: …`. Ratios are to the first of them, otherwise to the slowest engine.
 *
 * With `--against`, the last line is a row for the table by CPU in docs/performance.md.
 *
 * On a shared machine a contender receives less than its CPUs. Rates "of whole CPUs" divide hashes by CPU time instead of
 * by elapsed time. Ratios are of the medians of these rates.
 */
import { basename } from "node:path"
import { parseArgs } from "node:util"
import { systemClock as clock, sleep } from "../src/clock.ts"
import { createCpuEngine } from "../src/engines/cpu/cpu-engine.ts"
import { KERNELS } from "../src/engines/cpu/kernels.ts"
import { nextSequence } from "../src/engines/sequence.ts"
import { host } from "../src/host/host.ts"
import type { Log } from "../src/log.ts"
import { U512_MAX } from "../src/pow/u512.ts"
import { performanceRow } from "./bench-row.ts"

const nothing = () => {}
const silent: Log = {
  debug: nothing,
  info: nothing,
  success: nothing,
  warn: nothing,
  error: nothing,
  withTag: () => silent,
}

interface Sample {
  /** Hashes per second. */
  readonly rate: number
  /** Hashes per second of CPU time, times the number of workers. */
  readonly wholeCpus: number
}

interface Contender {
  readonly name: string
  /** Runs for about `seconds`. */
  measure(seconds: number): Promise<Sample>
  close(): Promise<void>
}

const { values: options } = parseArgs({
  options: {
    workers: { type: "string", default: "1" },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    engines: { type: "string", default: Object.keys(KERNELS).join() },
    against: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
  },
})
const workers = positive("workers")
const rounds = positive("rounds")
const seconds = positive("seconds")

/** Seconds of warm-up: the runtime recompiles WebAssembly once it is hot. */
const WARM_UP = 0.1

const contenders = [...options.against.map(otherMiner), ...(await engines(options.engines.split(",")))]
if (contenders.length === 0) throw new Error("no contender can run on this machine")
const rates = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]))
for (let round = 1; round <= rounds; round++) {
  for (const { name, measure } of contenders) rates.get(name)!.push(await measure(seconds))
  console.error(`round ${round} of ${rounds}`)
}
await Promise.all(contenders.map(contender => contender.close()))

const results = [...rates].map(([name, all]) => {
  return {
    name,
    rate: spread(all.map(({ rate }) => rate)),
    wholeCpus: spread(all.map(({ wholeCpus }) => wholeCpus)),
    all,
  }
})
const yardstick =
  results.find(({ name }) => name === contenders[0]!.name && options.against.length > 0) ??
  results.reduce((a, b) => (a.wholeCpus.median < b.wholeCpus.median ? a : b))
const report = {
  cpu: (await host.cpuInfo()).model,
  date: new Date().toISOString().slice(0, 10),
  workers,
  rounds,
  seconds,
  yardstick: yardstick.name,
  results: results.map(result => ({ ...result, ratio: result.wholeCpus.median / yardstick.wholeCpus.median })),
}
if (options.json) await Bun.write(options.json, `${JSON.stringify(report, null, 2)}\n`)
console.log(table(report))
if (options.against.length > 0)
  console.log(`\nFor the table by CPU in docs/performance.md:\n\n${performanceRow(report)}`)

/** Engines that this machine supports; the others are reported on standard error with the reason. */
async function engines(names: readonly string[]): Promise<Contender[]> {
  const usable: Contender[] = []
  for (const kernel of names) {
    const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
    const engine = createCpuEngine({ kernel, workers, random, clock, log: silent })
    try {
      await engine.prepare()
    } catch (error) {
      console.error(`${kernel} is not measured: ${(error as Error).message}`)
      continue
    }
    const count = () => engine.units.reduce((sum, { hashes }) => sum + hashes, 0n)
    usable.push({
      name: kernel,
      close: () => engine.close(),
      async measure(seconds) {
        const header = crypto.getRandomValues(new Uint8Array(32))
        const prefix = new Uint8Array(0)
        const work = {
          sequence: nextSequence(),
          header,
          prefix,
          target: 1n,
          difficulty: U512_MAX,
          stopAtCandidate: false,
        }
        engine.assign(work)
        await sleep(clock, 1000 * WARM_UP)
        const [begin, before, used] = [clock.now(), count(), process.cpuUsage()]
        await sleep(clock, 1000 * seconds)
        const [end, after, { user, system }] = [clock.now(), count(), process.cpuUsage(used)]
        engine.assign(null)
        await sleep(clock, 20)
        const hashes = Number(after - before)
        return { rate: (1e3 * hashes) / (end - begin), wholeCpus: (1e6 * hashes * workers) / (user + system) }
      },
    })
  }
  return usable
}

function otherMiner(path: string): Contender {
  return {
    name: basename(path),
    close: async () => {},
    async measure(seconds) {
      const begin = clock.now()
      const duration = String(Math.max(1, Math.round(seconds)))
      const child = Bun.spawn(
        [path, "benchmark", "--cpu-workers", String(workers), "--gpu-devices", "0", "--duration", duration],
        { stdout: "pipe", stderr: "pipe" },
      )
      const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      await child.exited
      const line = /Average rate:\s*([\d.,]+)\s*([kKMG]?) *H\/s/.exec(`${out}\n${err}`)
      if (!line) throw new Error(`${path} printed no "Average rate:" line:\n${out}${err}`)
      const scale = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 }[line[2]!]!
      const rate = Number(line[1]!.replaceAll(",", "")) * scale
      const elapsed = (clock.now() - begin) / 1e3
      const used = Number(child.resourceUsage()!.cpuTime.total) / 1e6
      return { rate, wholeCpus: (rate * elapsed * workers) / used }
    },
  }
}

function table({ cpu, date, results, yardstick }: typeof report): string {
  const mega = (rate: number) => (rate / 1e6).toFixed(3)
  return [
    `${cpu}, ${date}: ${workers} worker${workers === 1 ? "" : "s"}, ${rounds} rounds of ${seconds} s, MH/s`,
    "",
    `| engine | median | min … max | of whole CPUs | to ${yardstick} |`,
    "|---|---|---|---|---|",
    ...results.map(
      ({ name, rate, wholeCpus, ratio }) =>
        `| ${name} | ${mega(rate.median)} | ${mega(rate.min)} … ${mega(rate.max)} ` +
        `| ${mega(wholeCpus.median)} (${mega(wholeCpus.min)} … ${mega(wholeCpus.max)}) | ${ratio.toFixed(2)} |`,
    ),
  ].join("\n")
}

function spread(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! }
}

function positive(name: "workers" | "rounds" | "seconds"): number {
  const value = Number(options[name])
  if (!(value > 0)) throw new Error(`--${name}: expected a number above 0, got "${options[name]}"`)
  return value
}
