/** A token, a password or a pin that may change where it lies. */
export interface Credential {
  /** What it is and where it comes from, for people: `the token in /etc/quantus/miner-auth-token`. */
  readonly description: string
  /** @throws OperatorError where it cannot be used */
  read(): string
}
