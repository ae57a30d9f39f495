/** The checks of `doctor`. */
import { accessSync, constants, existsSync } from "node:fs"
import { release } from "node:os"
import { dirname } from "node:path"
import type { Clock } from "../clock.ts"
import type { HashingSettings } from "../config/options.ts"
import type { SourceConfig } from "../config/sources.ts"
import { describeKind, kindsAmong } from "../host/core-kinds.ts"
import { describeEffectiveCpus } from "../host/effective-cpus.ts"
import { host } from "../host/host.ts"
import { canMakeMachineCode } from "../host/machine-code.ts"
import { outputOf } from "../host/output-of.ts"
import { defaultWorkers } from "../host/workers.ts"
import type { Log } from "../log.ts"
import { formatRate } from "../observe/units.ts"
import { probe } from "../sources/probe.ts"
import { commit, target, version } from "../version.ts"
import { measure } from "./measure.ts"
import { openEngines } from "./opened-engines.ts"
import { openSource } from "./sources.ts"

export type Level = "ok" | "warning" | "wrong"

export type Topic =
  | "versions"
  | "configuration"
  | "CPUs"
  | "engines"
  | "GPUs"
  | "source"
  | "clock"
  | "state"
  | "power"
  | "service"

export interface Finding {
  readonly topic: Topic
  readonly level: Level
  /** The finding; for a warning or a fault, also the remedy. */
  readonly text: string
}

type Check = () => Promise<readonly Finding[]>

const MEASURE_SECONDS = 2
const SOURCE_TIMEOUT_MS = 10_000

/** What the checks use of a configuration. */
export interface Checked {
  readonly settings: HashingSettings
  readonly stateDir: string | undefined
  readonly sources: readonly SourceConfig[]
}

/** All checks in the order of the report. */
export function checks(config: Checked, clock: Clock): readonly (readonly [Topic, Check])[] {
  return [
    ["versions", versions],
    ["CPUs", cpus],
    ["engines", () => engines(config, clock)],
    ["GPUs", () => gpus(config, clock)],
    ["source", () => sources(config.sources, clock)],
    ["clock", systemClock],
    ["state", async () => state(config.stateDir)],
    ["power", async () => power()],
    ["service", service],
  ]
}

const found = (topic: Topic, level: Level, text: string): Finding => ({ topic, level, text })

async function versions(): Promise<readonly Finding[]> {
  const built = commit === undefined ? "from source" : `commit ${commit.slice(0, 12)}`
  const text = `quantus-miner ${version} (${built}, ${target}), Bun ${Bun.version}, ${process.platform} ${release()}`
  return [found("versions", "ok", text)]
}

async function cpus(): Promise<readonly Finding[]> {
  const effective = await host.effectiveCpus()
  const { model } = await host.cpuInfo()
  const workers = defaultWorkers(effective.count)
  const kinds = kindsAmong(await host.coreKinds(), effective.cpus).map(kind => `${describeKind(kind)}; `)
  const text = `${model ?? "unknown CPU"}: ${describeEffectiveCpus(effective)}; ${kinds.join("")}default workers: ${workers}`
  return [...effective.warnings.map(warning => found("CPUs", "warning", warning)), found("CPUs", "ok", text)]
}

/** Starts the engines as `serve` does and verifies what they find. Warnings of the start are findings. */
async function engines({ settings, stateDir }: Checked, clock: Clock): Promise<readonly Finding[]> {
  if (!canMakeMachineCode()) {
    const text = "this process may not create machine code: WebAssembly is interpreted; remove MemoryDenyWriteExecute="
    return [found("engines", "wrong", text)]
  }
  const warnings: Finding[] = []
  const log = warningsOf(text => warnings.push(found("engines", "warning", text)))
  const opened = await openEngines({
    settings: { ...settings, gpuDevices: { kind: "count", count: 0 } },
    stateDir,
    clock,
    log,
  })
  const { seconds, hashes, hits, mismatches, engines } = await measure({
    engines: opened.engines,
    replaceEngine: opened.replaceEngine.bind(opened),
    log,
    seconds: MEASURE_SECONDS,
    clock,
    stop: new AbortController().signal,
    progress() {},
  })
  const name = engines.join("+")
  if (mismatches > 0) {
    const text = `${name} found ${mismatches} wrong candidates: test memory and overclocking, or use --engine wasm`
    return [...warnings, found("engines", "wrong", text)]
  }
  const text = `${name} makes ${formatRate(hashes / seconds)} on this machine, ${hits} hits verified`
  return [...warnings, found("engines", "ok", text)]
}

async function gpus({ settings }: Checked, clock: Clock): Promise<readonly Finding[]> {
  const { looksForGpus } = await import("./gpus.ts")
  if (!looksForGpus(settings)) return [found("GPUs", "ok", "none are looked for")]
  const { findDevicesApart } = await import("../engines/gpu/driver-process.ts")
  const { devices, missing, failures, notes } = await findDevicesApart({ clock })
  return [
    ...failures.map(text => found("GPUs", "wrong", `${text}; reinstall the driver, or use --gpu-devices 0`)),
    ...notes.map(text => found("GPUs", "warning", text)),
    ...devices.map(({ device: { name, api, driver, pci = "unknown" } }) =>
      found("GPUs", "ok", `${name} by ${api}, PCI ${pci}, driver ${driver}`),
    ),
    ...(devices.length === 0 && failures.length === 0 ? [found("GPUs", "ok", `none: ${missing.join("; ")}`)] : []),
  ]
}

async function sources(configs: readonly SourceConfig[], clock: Clock): Promise<readonly Finding[]> {
  return await Promise.all(configs.map(config => checkSource(config, clock)))
}

async function checkSource(config: SourceConfig, clock: Clock): Promise<Finding> {
  const { name } = config
  const make = await openSource(config, { clock, log: warningsOf(() => {}) })
  const { connectedMs, jobMs, problem } = await probe(make(), clock, SOURCE_TIMEOUT_MS)
  if (jobMs !== undefined) {
    return found(
      "source",
      "ok",
      `${name}: connected in ${Math.round(connectedMs ?? jobMs)} ms, a job after ${Math.round(jobMs)} ms`,
    )
  }
  if (problem !== undefined) return found("source", "wrong", `${name}: ${problem}`)
  if (connectedMs === undefined) {
    return found(
      "source",
      "wrong",
      `${name}: no answer within ${SOURCE_TIMEOUT_MS / 1000} s; check address, port and firewall`,
    )
  }
  const text = `${name}: connected, but no job within ${SOURCE_TIMEOUT_MS / 1000} s; a node that syncs or waits for peers has none`
  return found("source", "warning", text)
}

async function systemClock(): Promise<readonly Finding[]> {
  const answer = await outputOf(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
  if (answer === undefined || answer === "") {
    return [found("clock", "ok", "the system does not report whether it is synchronized")]
  }
  if (answer === "yes") return [found("clock", "ok", "synchronized")]
  return [
    found("clock", "warning", "not synchronized: logs and metrics have wrong times; enable timedatectl set-ntp true"),
  ]
}

function state(directory: string | undefined): readonly Finding[] {
  if (directory === undefined) {
    return [found("state", "warning", "no directory: measurements are not kept; specify --state-dir")]
  }
  let existing = directory
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing)
  try {
    accessSync(existing, constants.W_OK)
    return [found("state", "ok", `measurements are kept in ${directory}`)]
  } catch {
    return [found("state", "warning", `${existing} is not writable: measurements are not kept; specify --state-dir`)]
  }
}

function power(): readonly Finding[] {
  if (host.packageEnergy().length > 0) return [found("power", "ok", "CPU power can be read")]
  if (!host.hasPackageEnergy()) return []
  const text =
    "CPU power is not shown: the counters below /sys/class/powercap are readable by root only; the service needs " +
    "AmbientCapabilities=CAP_DAC_READ_SEARCH and CapabilityBoundingSet=CAP_DAC_READ_SEARCH"
  return [found("power", "warning", text)]
}

const UNIT = "quantus-miner.service"
const PROPERTIES = ["LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "ExecMainStatus", "SubState"]

async function service(): Promise<readonly Finding[]> {
  const text = await outputOf(["systemctl", "show", UNIT, ...PROPERTIES.map(name => `--property=${name}`)])
  return text === undefined ? [] : serviceFindings(text)
}

/** @param text `NAME=value` lines of systemctl */
export function serviceFindings(text: string): readonly Finding[] {
  const values = Object.fromEntries(text.split("\n").map(line => line.split("=", 2) as [string, string]))
  const {
    LoadState: load,
    ActiveState: active,
    UnitFileState: file,
    NeedDaemonReload: reload,
    ExecMainStatus: status,
    SubState: sub,
  } = values
  if (load !== "loaded") return []
  const stale =
    reload === "yes" ? [found("service", "warning", "the unit changed on disk: run systemctl daemon-reload")] : []
  if (active === "failed") {
    const why = `failed with exit code ${status}: see journalctl -u quantus-miner and docs/exit-codes.md`
    return [...stale, found("service", "wrong", why)]
  }
  if (sub === "auto-restart") {
    const why = `restarts again and again, last with exit code ${status}: see journalctl -u quantus-miner`
    return [...stale, found("service", "wrong", why)]
  }
  if (active === "inactive" && file === "enabled") {
    const why = "starts with the system, but does not run: run systemctl start quantus-miner"
    return [...stale, found("service", "warning", why)]
  }
  return [
    ...stale,
    found("service", "ok", `${active}, ${file === "enabled" ? "starts" : "does not start"} with the system`),
  ]
}

/** A log that reports warnings and errors only. */
function warningsOf(report: (text: string) => void): Log {
  const log: Log = { debug() {}, info() {}, success() {}, warn: report, error: report, withTag: () => log }
  return log
}
