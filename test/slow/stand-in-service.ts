/**
 * Stands for the miner under the real unit: needs of the host what the miner needs, tells by its status what it got, and
 * then does as its flags say: `--exit CODE`, or runs until it is stopped, unhealthy from SIGUSR1 on.
 */
import { dlopen } from "bun:ffi"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { getPriority } from "node:os"
import { join } from "node:path"
import { systemClock } from "../../src/clock.ts"
import { setThreadAffinity } from "../../src/host/linux/affinity.ts"
import { readCpuInfo } from "../../src/host/linux/cpu-info.ts"
import { readEffectiveCpus } from "../../src/host/linux/effective-cpus.ts"
import { createNotifier, watchdogTimeoutMs } from "../../src/host/linux/systemd.ts"
import { feedWatchdog } from "../../src/host/service-manager.ts"
import { collectLog } from "../support/collect-log.ts"

const { STATE_DIRECTORY = "", CREDENTIALS_DIRECTORY = "" } = process.env
const log = collectLog()
const notifier = createNotifier(process.env, log)
const exit = process.argv.indexOf("--exit")
if (exit > 0) process.exit(Number(process.argv[exit + 1]))

const effective = await readEffectiveCpus()
const facts = {
  root: process.getuid!() === 0,
  directory: process.cwd(),
  arguments: process.argv.slice(2),
  effective: effective.count,
  model: typeof (await readCpuInfo()).model,
  bound: setThreadAffinity(effective.cpus),
  nice: getPriority(),
  state: writesState(),
  credentials: credentials(),
  executableMemory: makesMemoryExecutable(),
  worker: await runsWorker(),
  watchdog: watchdogTimeoutMs(process.env),
}

let healthy = true
const timeoutMs = facts.watchdog!
feedWatchdog({ notifier, timeoutMs, healthy: () => healthy, clock: systemClock, log })
process.on("SIGUSR1", () => (healthy = false))
process.on("SIGHUP", () => {
  notifier.reloading()
  notifier.status("reloaded")
  notifier.ready()
})
process.on("SIGINT", () => {
  notifier.stopping()
  process.exit(0)
})
setInterval(() => {}, 60_000)
notifier.status(JSON.stringify(facts))
notifier.ready()

function writesState(): boolean {
  writeFileSync("calibration.json", "{}")
  return readdirSync(STATE_DIRECTORY).includes("calibration.json")
}

function credentials(): Record<string, string> {
  const names = readdirSync(CREDENTIALS_DIRECTORY).sort()
  return Object.fromEntries(names.map(name => [name, readFileSync(join(CREDENTIALS_DIRECTORY, name), "utf8").trim()]))
}

function makesMemoryExecutable(): boolean {
  const [page, PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE_ANONYMOUS] = [4096, 1, 2, 4, 0x22]
  const { symbols: libc } = dlopen("libc.so.6", {
    mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
    mprotect: { args: ["ptr", "u64", "i32"], returns: "i32" },
  })
  const memory = libc.mmap(null, page, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
  return libc.mprotect(memory, page, PROT_READ | PROT_EXEC) === 0
}

function runsWorker(): Promise<boolean> {
  const worker = new Worker("data:text/javascript,postMessage(true)")
  return new Promise(resolve => {
    worker.onmessage = event => {
      worker.terminate()
      resolve(event.data)
    }
  })
}
