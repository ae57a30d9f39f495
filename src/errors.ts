/**
 * Errors that an operator can cause or remedy: a sentence and the exit code of the process. Any other error is a bug and
 * is reported with its stack.
 */

/** Exit codes, after sysexits.h; `docs/exit-codes.md` lists causes, restarts and remedies. */
export const ExitCode = {
  ok: 0,
  /** A bug. */
  failure: 1,
  /** EX_USAGE: an unknown flag, an empty or malformed value. */
  usage: 64,
  /** EX_SOFTWARE: no engine passes its self-test. */
  selfTest: 70,
  /** EX_TEMPFAIL: all engines failed, as after a GPU fault, or workers could not be started; a restart may help. */
  lost: 75,
  /** EX_NOPERM: the token or the certificate pin was rejected. */
  rejected: 77,
  /** EX_CONFIG: a file is missing, unreadable, empty or malformed; options contradict each other. */
  config: 78,
} as const

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
