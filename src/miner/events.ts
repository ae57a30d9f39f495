/** The events that the miner reports. Statistics implement them. */
import type { DisconnectReason, Job, JobOutcome, Seal, Verdict } from "../sources/source.ts"
import type { PauseReason } from "./pauses.ts"

/** Arguments are in the order of `SourceEvents` and `EngineEvents`, so that both can be forwarded unchanged. */
export interface MinerEvents {
  connected(source: string): void
  /** @param retryIn milliseconds; not finite if the source is not retried, in which case no reconnect is counted */
  disconnected(reason: DisconnectReason, message: string, retryIn: number, source: string): void
  /**
   * The engines search `job` from now on. The job before it ends if it has not ended yet: completed if it had a seal,
   * cancelled otherwise. The same job (source and id) again changes nothing.
   */
  job(job: Job): void
  /** `job` is no longer searched; ignored if it has already ended. */
  jobEnded(job: Job, outcome: JobOutcome): void
  /** The verdict on a seal. @param latencySeconds from the engine's report of the candidate to the verdict */
  seal(seal: Seal, verdict: Verdict, latencySeconds: number): void
  /** A unit began to search a new work. @param seconds since its assignment */
  switched(unit: string, sequence: number, seconds: number): void
  /** A unit crashed or hung and was replaced. */
  restarted(unit: string, why: string): void
  /** A candidate of this unit failed verification. */
  mismatch(unit: string): void
  /** The reasons for pausing changed. @param reasons empty while mining */
  paused(reasons: readonly PauseReason[]): void
}
