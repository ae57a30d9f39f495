/** Whether a rejected token, pin or login ends a source. */
import type { Credential } from "./credential.ts"

/** What this process has learned about a peer; kept by a caller that creates its source again. */
export interface Acceptance {
  /** The node sent a job, so the token was valid once. */
  hadJob: boolean
  /** The peer accepted a seal; a node, which never answers, was sent one. */
  hadSeal: boolean
}

export const newAcceptance = (): Acceptance => ({ hadJob: false, hadSeal: false })

/**
 * Says why a rejection may pass: the credential is in a file that can be read again, or it was valid once.
 * @returns undefined if the rejection is final
 */
export function whyNotFinal(credential: Credential | undefined, { hadSeal }: Acceptance): string | undefined {
  if (credential?.isRenewable) return "waiting for it to be renewed"
  return hadSeal ? "it was valid before, so it is tried again; a renewed one is read at the next start" : undefined
}
