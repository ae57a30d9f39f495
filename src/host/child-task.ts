/**
 * A task of this program in a child process: for libraries that may hang or crash the process that calls them. The child
 * is this executable in a mode that only a parent can request.
 */
import { randomUUID } from "node:crypto"
import { readFileSync, writeSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Clock } from "../clock.ts"
import { inExecutable } from "../worker-entry.ts"
import { host } from "./host.ts"
import { linesOf } from "./lines-of.ts"

/** The child's only argument. It is refused without the variable, which holds a token that marks the child's reports. */
const ARGUMENT = "child-task"
const VARIABLE = "QUANTUS_MINER_CHILD"

/** Time for reports that the child wrote before its end to arrive. */
const DRAIN_MS = 200

/** Time for a killed child to end, which then no longer uses a device. One that a driver holds may take longer. */
const END_MS = 2000

export interface ChildOptions {
  /** The task, for `serveChild`; JSON. */
  readonly order: unknown
  /** Longest time without a report. */
  readonly timeoutMs: number
  /** Ends the child when it is aborted. */
  readonly stop?: AbortSignal | undefined
  readonly clock: Clock
  /** Receives each report of the child, in order. */
  readonly report: (report: unknown) => void
}

/**
 * How a child ended: it returned, it crashed or exited early (`how`: `SIGSEGV`, `exit code 1`), it reported nothing for
 * too long, or `stop` was aborted.
 */
export type ChildEnd =
  | { readonly kind: "done" }
  | { readonly kind: "crashed"; readonly how: string }
  | { readonly kind: "hung" }
  | { readonly kind: "stopped" }
  | { readonly kind: "unstarted"; readonly why: string }

const running = new Set<Bun.Subprocess>()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** Runs a task. The child has ended, or was killed and is no longer waited for, when this settles. */
export async function runChild({ order, timeoutMs, stop, clock, report }: ChildOptions): Promise<ChildEnd> {
  const token = randomUUID()
  let child: Bun.Subprocess<Blob, "pipe", "ignore">
  try {
    child = Bun.spawn(program(), {
      // No secret of the operator is handed on.
      env: { ...withoutSettings(process.env), [VARIABLE]: token },
      stdin: new Blob([JSON.stringify(order)]),
      stdout: "pipe",
      stderr: "ignore",
    })
  } catch (error) {
    return { kind: "unstarted", why: (error as Error).message }
  }
  running.add(child)
  const { promise, resolve } = Promise.withResolvers<ChildEnd>()
  const hung = () => resolve({ kind: "hung" })
  let cancel = clock.after(timeoutMs, hung)
  const stopped = () => resolve({ kind: "stopped" })
  stop?.addEventListener("abort", stopped)
  if (stop?.aborted) stopped()
  const take = (text: string) => {
    if (!text.startsWith(token)) return
    const message = JSON.parse(text.slice(token.length)) as { readonly report?: unknown; readonly done?: true }
    if (message.done) return resolve({ kind: "done" })
    cancel()
    cancel = clock.after(timeoutMs, hung)
    report(message.report)
  }
  const readLines = async (): Promise<void> => {
    for await (const line of linesOf(child.stdout)) take(line)
  }
  const read = readLines()
  void child.exited.then(async code => {
    // A process that the library started may hold the pipe open.
    await Promise.race([read, Bun.sleep(DRAIN_MS)])
    resolve({ kind: "crashed", how: String(child.signalCode ?? `exit code ${code}`) })
  })
  const end = await promise
  cancel()
  stop?.removeEventListener("abort", stopped)
  running.delete(child)
  child.kill("SIGKILL")
  const late = Promise.withResolvers<void>()
  const cancelLate = clock.after(END_MS, late.resolve)
  await Promise.race([child.exited, late.promise])
  cancelLate()
  child.unref()
  return end
}

/** Whether this process is a child that a parent started for a task. */
export const isChild = (args: readonly string[], env: NodeJS.ProcessEnv): boolean =>
  args[0] === ARGUMENT && Boolean(env[VARIABLE])

/**
 * Runs the task in the child.
 * @param run receives the order and a function that reports a value to the parent before it returns
 */
export async function serveChild<Order>(
  run: (order: Order, report: (value: unknown) => void) => void | Promise<void>,
): Promise<void> {
  host.endWithParent()
  // A reload of the whole service is not meant for this process, and a terminal's interrupt is the parent's to handle.
  for (const signal of ["SIGHUP", "SIGINT"] as const) process.on(signal, () => {})
  const token = process.env[VARIABLE]!
  // The library may have written part of a line to standard output.
  const write = (message: object) => void writeSync(1, `\n${token}${JSON.stringify(message)}\n`)
  await run(JSON.parse(readFileSync(0, "utf8")) as Order, report => write({ report }))
  write({ done: true })
}

const program = (): string[] =>
  inExecutable
    ? [process.execPath, ARGUMENT]
    : [process.execPath, fileURLToPath(new URL("../main.ts", import.meta.url)), ARGUMENT]

const withoutSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("MINER_")))
