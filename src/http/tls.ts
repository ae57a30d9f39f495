/** Certificate chain and private key, both PEM. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
}
