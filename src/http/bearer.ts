import { createHash, timingSafeEqual } from "node:crypto"

/** Whether an Authorization header carries `token`. The time taken does not depend on the token's content. */
export function hasBearer(authorization: string | null, token: string): boolean {
  const [, given] = /^Bearer +(.+)$/i.exec(authorization ?? "") ?? []
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
