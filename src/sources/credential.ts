/** A token, a password or a pin whose file may change. */
export interface Credential {
  /** Its kind and origin, for people: `the token in /etc/quantus/miner-auth-token`. */
  readonly description: string
  /** Whether its file may hold another value later. A copy that systemd made at the start does not change. */
  readonly isRenewable?: boolean
  /** @throws OperatorError if it is invalid or cannot be read */
  read(): string
}
