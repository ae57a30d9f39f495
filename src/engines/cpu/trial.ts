/**
 * Tries native kernels in a child process on systems on which tests do not run them, so that one that crashes or hangs
 * there costs itself and not the miner.
 */
import type { Clock } from "../../clock.ts"
import { type ChildEnd, runChild } from "../../host/child-task.ts"
import { UnsupportedKernel } from "../../kernel/kernel.ts"
import { selfTest } from "../self-test.ts"
import { createKernel } from "./kernels.ts"

/** Load and test these kernels one after another. */
export interface TrialOrder {
  readonly kind: "kernels"
  readonly names: readonly string[]
}

/** The kernel that is tried next. */
export interface TrialReport {
  readonly name: string
}

/** Time for a kernel to be rendered, loaded and tested. */
const TIMEOUT_MS = 30_000

/** Whether native kernels are tried first. Tests run them on Linux, under Wine instead of Windows, and not on macOS. */
export const needsTrial = (platform: NodeJS.Platform): boolean => platform === "win32" || platform === "darwin"

/** Whether a kernel is machine code of this project, and not the runtime's. */
export const isNative = (kernel: string): boolean => !kernel.startsWith("wasm")

export interface TrialOptions {
  readonly clock: Clock
  /** Tests may pass their own. */
  readonly platform?: NodeJS.Platform
  readonly run?: typeof runChild
}

/**
 * @param kernels names; WebAssembly is not tried
 * @returns why kernels must not be used, by name: each crashed its process or hung. Kernels that are not supported or
 *   compute wrong hashes are not among them: the miner's own attempt reports these.
 */
export async function refusedByTrial(
  kernels: readonly string[],
  { clock, platform = process.platform, run = runChild }: TrialOptions,
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>()
  let names = needsTrial(platform) ? kernels.filter(isNative) : []
  while (names.length > 0) {
    let current = names[0]!
    const report = (report: unknown) => {
      current = (report as TrialReport).name
    }
    const end = await run({
      order: { kind: "kernels", names } satisfies TrialOrder,
      timeoutMs: TIMEOUT_MS,
      clock,
      report,
    })
    const why = problemOf(end)
    if (why === undefined) break
    refused.set(current, why)
    names = names.slice(names.indexOf(current) + 1)
  }
  return refused
}

function problemOf(end: ChildEnd): string | undefined {
  switch (end.kind) {
    case "done":
      return undefined
    case "crashed":
      return `it crashed the process that tried it (${end.how})`
    case "hung":
    case "stopped":
      return `its trial in a child process did not end within ${TIMEOUT_MS / 1000} s`
    case "unstarted":
      return `the child process for its trial could not be started: ${end.why}`
  }
}

/** The child's part. */
export function tryKernels({ names }: TrialOrder, report: (report: TrialReport) => void): void {
  for (const name of names) {
    report({ name })
    try {
      const kernel = createKernel(name)
      selfTest(kernel)
      kernel.close()
    } catch (error) {
      if (!(error instanceof UnsupportedKernel)) throw error
    }
  }
}
