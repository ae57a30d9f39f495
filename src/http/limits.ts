/**
 * Limits of every server. The runtime enforces those on time, headers (16 KiB) and body and answers 413 or 431 itself;
 * the rest is enforced by `handler.ts`.
 */

/**
 * Seconds without progress after which the runtime drops a connection. It checks every 4 s, and a request whose headers
 * are incomplete is dropped after 12 s even if bytes keep arriving.
 */
export const IDLE_SECONDS = 5

export const MAX_BODY_BYTES = 4096

export const MAX_TARGET_LENGTH = 1024

/** Maximum number of requests that are being answered, such as those whose body has not arrived yet. */
export const MAX_OPEN_REQUESTS = 256
