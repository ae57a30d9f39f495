#!/usr/bin/env bun
/** Entry point: runs the command, and reports an error as one line and an exit code. */
import "./early-signals.ts"
import { type CommandDef, renderUsage } from "citty"
import { isCommand, root, runCommand, usageOf } from "./commands/table.ts"
import { wrapColumns } from "./config/usage.ts"
import { ExitCode, OperatorError } from "./errors.ts"
import { failureLines, openedLog } from "./failure.ts"
import { isChild } from "./host/child-task.ts"

process.on("uncaughtException", fail)
process.on("unhandledRejection", fail)
await main(process.argv.slice(2)).catch(fail)
// Handles that a command left open must not keep the process alive.
process.exit()

async function main(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args
  if (isChild(args, process.env)) return (await import("./engines/child.ts")).serveOrders()
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return print(root)
  if (name === "--version" || name === "-V") return runCommand("version", rest)
  if (!isCommand(name)) {
    const what = name.startsWith("-") ? `flags must follow a command: ${name}` : `unknown command ${name}`
    throw new OperatorError(`${what}: see quantus-miner --help`, ExitCode.usage)
  }
  if (rest.includes("--help") || rest.includes("-h")) return print(usageOf(name), root)
  await runCommand(name, rest)
}

async function print(command: CommandDef, parent?: CommandDef): Promise<void> {
  const usage = wrapColumns(await renderUsage(command, parent), Math.min(process.stdout.columns ?? 100, 120))
  console.log(process.stdout.isTTY ? usage : Bun.stripANSI(usage))
}

/** Reports an operator error as one sentence, any other error with its stack, and exits. */
function fail(error: unknown): never {
  const log = openedLog()
  const { out, err, record, exitCode } = failureLines(error, process.argv.slice(3), process.env, log)
  log?.file?.write(`${record}\n`)
  if (out !== undefined) console.log(out)
  console.error(err)
  process.exit(exitCode)
}
