/**
 * Imported before everything else: a long-running command that is stopped while it still loads exits with 0 like one that
 * is stopped later. Its command replaces these handlers by its own.
 */
const LONG_RUNNING = ["serve", "api", "node", "pool", "demo"]

export const EARLY_SIGNALS = ["SIGINT", "SIGTERM"] as const

export const exitEarly = (): never => process.exit(0)

if (LONG_RUNNING.includes(process.argv[2] ?? "")) for (const signal of EARLY_SIGNALS) process.on(signal, exitEarly)
