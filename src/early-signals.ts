/**
 * Imported first, so that a long-running command exits with 0 even if it is stopped while modules load. The command
 * replaces these handlers with its own.
 */
const LONG_RUNNING = ["serve", "api", "node", "pool", "demo"]

export const EARLY_SIGNALS = ["SIGINT", "SIGTERM"] as const

export const exitEarly = (): never => process.exit(0)

if (LONG_RUNNING.includes(process.argv[2] ?? "")) for (const signal of EARLY_SIGNALS) process.on(signal, exitEarly)
