/** Tries a source once: how long it takes to connect and to send a job. */
import type { Clock } from "../clock.ts"
import type { JobSource } from "./source.ts"

export interface Probe {
  /** Milliseconds until the source was connected and had accepted token or login; undefined if it was not. */
  readonly connectedMs: number | undefined
  /** Milliseconds until the first job; undefined if none came. */
  readonly jobMs: number | undefined
  /** Why the first attempt failed or the connection ended before a job; undefined if it did not. */
  readonly problem: string | undefined
}

/** Starts the source, waits for a job, a failure or `timeoutMs`, and closes it. Never rejects. */
export async function probe(source: JobSource, clock: Clock, timeoutMs: number): Promise<Probe> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const started = clock.now()
  const elapsed = () => clock.now() - started
  let connectedMs: number | undefined
  let jobMs: number | undefined
  let problem: string | undefined
  const fail = (message: string) => {
    problem ??= message
    resolve()
  }
  const cancel = clock.after(timeoutMs, resolve)
  source.start({
    connected: () => {
      connectedMs ??= elapsed()
    },
    disconnected: (_reason, message) => fail(message),
    job: () => {
      jobMs ??= elapsed()
      resolve()
    },
    noJob() {},
    failed: error => fail(error.message),
  })
  await promise
  cancel()
  await source.close()
  return { connectedMs, jobMs, problem: jobMs === undefined ? problem : undefined }
}
