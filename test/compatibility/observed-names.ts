/** The public names that the built executable shows, read from outside so that no source file has to be known. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { MinerProcess } from "../support/miner-process.ts"
import { ROUTES } from "../support/routes.ts"

/** Each list holds texts that operators, dashboards and scripts depend on. */
export interface PublicNames {
  /** `serve --cpu-workers` */
  readonly flags: readonly string[]
  readonly variables: readonly string[]
  /** Keys of a configuration file; those of a `[[source]]` table as `source.KEY`. */
  readonly fileKeys: readonly string[]
  readonly engines: readonly string[]
  /** `TYPE NAME`; a metric's label as `NAME{LABEL}`. */
  readonly metrics: readonly string[]
  /** `SOURCE PATH`: the command, log or route, and the field's path in the JSON value, `[]` for array entries. */
  readonly jsonFields: readonly string[]
  readonly routes: readonly string[]
  readonly stateFiles: readonly string[]
}

const ENGINE = ["--engine", "wasm", "--cpu-workers", "1", "--gpu-devices", "0"]

export async function observedNames(wanted: PublicNames): Promise<PublicNames> {
  const directory = mkdtempSync(join(tmpdir(), "quantus-names-"))
  try {
    const [flags, served, measured, engines, stateFiles, api] = await Promise.all([
      usageNames(),
      servedNames(),
      benchmarkFields(),
      engineNames(),
      writtenState(directory),
      apiRoutes(),
    ])
    return {
      ...flags,
      engines,
      stateFiles,
      fileKeys: await acceptedKeys(wanted.fileKeys, directory),
      metrics: served.metrics,
      jsonFields: [...served.fields, ...measured, ...(await hashFields())],
      routes: [...served.routes, ...api],
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function output(...args: string[]): Promise<string> {
  const miner = new MinerProcess(args)
  await miner.ended
  return miner.text
}

async function usageNames(): Promise<Pick<PublicNames, "flags" | "variables">> {
  const commands = [...(await output("--help")).matchAll(/^ +([a-z]+) {2,}\S/gm)].map(([, name]) => name!)
  const usages = await Promise.all(commands.map(async command => ({ command, usage: await output(command, "--help") })))
  const flags = usages.flatMap(({ command, usage }) =>
    [...usage.matchAll(/--[a-z][a-z0-9-]*/g)].map(([flag]) => `${command} ${flag}`),
  )
  const variables = usages.flatMap(({ usage }) => usage.match(/\bMINER_[A-Z0-9_]+/g) ?? [])
  return { flags: unique(flags), variables: unique(variables) }
}

async function servedNames(): Promise<{ metrics: string[]; fields: string[]; routes: string[] }> {
  const demo = new MinerProcess([
    "demo",
    ...ENGINE,
    "--metrics-port",
    "0",
    "--log-format",
    "json",
    "--seals",
    "1000000",
  ])
  try {
    await demo.line(/job-2 of/)
    const { text: serving } = await demo.line(/http:\/\/127\.0\.0\.1:\d+/)
    const base = /http:\/\/127\.0\.0\.1:\d+/.exec(serving)![0]
    const get = async (route: string) => ({ route, response: await fetch(base + route) })
    const answers = await Promise.all(ROUTES.map(get))
    const routes = answers.filter(({ response }) => response.status !== 404).map(({ route }) => `GET ${route}`)
    const text = await (await fetch(`${base}/metrics`)).text()
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${type} ${name}`)
    const labels = [...text.matchAll(/^(\w+)\{(.*)\}/gm)].flatMap(([, name, pairs]) =>
      [...pairs!.matchAll(/(\w+)="/g)].map(([, label]) => `${name}{${label}}`),
    )
    const fields: string[] = []
    for (const route of ["/hive-stats", "/mmpos", "/2/summary"]) {
      fields.push(...fieldsOf(await (await fetch(base + route)).json()).map(field => `${route} ${field}`))
    }
    fields.push(...fieldsOf(JSON.parse(demo.lines[0]!.text)).map(field => `log ${field}`))
    return { metrics: unique([...types, ...labels]), fields: unique(fields), routes }
  } finally {
    await demo.stop()
  }
}

async function benchmarkFields(): Promise<string[]> {
  const text = await output("benchmark", ...ENGINE, "--duration", "300ms", "--json")
  const json = text.split("\n").find(line => line.startsWith("{"))!
  return fieldsOf(JSON.parse(json)).map(field => `benchmark ${field}`)
}

async function hashFields(): Promise<string[]> {
  const { builtExecutable } = await import("../support/executable.ts")
  const line = JSON.stringify({ header: "00".repeat(32), nonce: "00".repeat(64) })
  const { stdout } = Bun.spawnSync([builtExecutable(), "hash"], { stdin: Buffer.from(line) })
  return fieldsOf(JSON.parse(stdout.toString())).map(field => `hash ${field}`)
}

/** The words of the error about an unknown engine, which lists those that exist. */
async function engineNames(): Promise<string[]> {
  const texts = await Promise.all([
    output("hash", "--engine", "abacus", "00".repeat(32), "00".repeat(64)),
    output("benchmark", "--engine", "abacus"),
  ])
  return unique(texts.flatMap(text => text.match(/\b[a-z][a-z0-9-]+\b/g) ?? []))
}

/** The keys that are known: each is tried with an invalid value, so that no run begins. */
async function acceptedKeys(keys: readonly string[], directory: string): Promise<string[]> {
  const outcomes = keys.map(async key => {
    const path = join(directory, `${key}.json`)
    const [table, name] = key.startsWith("source.") ? ["source", key.slice(7)] : ["", key]
    const options = { [name]: null }
    await Bun.write(path, JSON.stringify(table ? { source: [options] } : options))
    return { key, text: await output("benchmark", "--config", path) }
  })
  return (await Promise.all(outcomes)).filter(({ text }) => !/unknown/.test(text)).map(({ key }) => key)
}

async function writtenState(directory: string): Promise<string[]> {
  const state = join(directory, "state")
  const args = ["benchmark", "--cpu-workers", "1", "--gpu-devices", "0", "--duration", "100ms", "--state-dir", state]
  await output(...args, "--recalibrate")
  return readdirSync(state)
}

async function apiRoutes(): Promise<string[]> {
  const api = new MinerProcess(["api", ...ENGINE, "--port", "0"])
  try {
    const { text } = await api.line(/127\.0\.0\.1:\d+/)
    const base = `http://${/127\.0\.0\.1:\d+/.exec(text)![0]}`
    const { paths } = (await (await fetch(`${base}/openapi.json`)).json()) as { paths: Record<string, object> }
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
  } finally {
    await api.stop()
  }
}

/** Paths of the leaves of a JSON value; null, an empty value and an array of plain values are leaves. */
function fieldsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) {
    const inner = value.filter(item => typeof item === "object" && item !== null)
    return inner.length === 0 ? [path] : inner.flatMap(item => fieldsOf(item, `${path}[]`))
  }
  if (typeof value !== "object" || value === null) return [path]
  return Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, path === "" ? key : `${path}.${key}`))
}

const unique = (names: readonly string[]): string[] => [...new Set(names)].sort()
