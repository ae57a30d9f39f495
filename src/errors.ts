/**
 * Errors that an operator can cause or remedy: a sentence and the exit code of the process. Any other error is a bug and
 * is reported with its stack.
 */

/** Exit codes, after sysexits.h; `docs/exit-codes.md` lists causes, restarts and remedies. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  /** EX_USAGE */
  usage: 64,
  /** EX_SOFTWARE */
  selfTest: 70,
  /** EX_TEMPFAIL */
  lost: 75,
  /** EX_NOPERM */
  rejected: 77,
  /** EX_CONFIG */
  config: 78,
} as const

/** What each code means, for the manual page and the documents. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof ExitCode, string>> = {
  ok: "Normal exit",
  failure:
    "Unexpected error, with its stack in the log; health: the miner is not ready; doctor: a check failed; sources: a source has no job",
  usage: "Usage error: a flag is unknown, empty or malformed, or a variable is malformed",
  selfTest: "No engine computes correct results on this machine",
  lost: "No engine is left that can hash, or no worker could be started; a restart may help",
  rejected: "The token, login or pin was rejected",
  config: "Configuration error: a file is missing, unreadable, empty or malformed, or options contradict each other",
}

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export class OperatorError extends Error {
  override readonly name = "OperatorError"

  /** @param message one sentence: what happened, then what to do; never a secret */
  constructor(
    message: string,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
