/** Compares this version with the newest one that a page names. Nothing is downloaded or installed. */
import type { Log } from "../log.ts"
import { version } from "../version.ts"

const TIMEOUT_MS = 3000
const MAX_CHARACTERS = 1_000_000

/** Logs one line if the page at `url` names a newer release; failures are silent, because mining does not depend on it. */
export async function checkUpdates(url: URL, log: Log, own: string = version): Promise<void> {
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: "application/json, text/*" },
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED decides.
      tls: { rejectUnauthorized: true },
    })
    const newest = newestIn((await answer.text()).slice(0, MAX_CHARACTERS))
    if (answer.ok && newest !== undefined && Bun.semver.order(newest, own) > 0) {
      log.info(`version ${newest} is available, this is ${own}: see ${url.origin}${url.pathname}`)
    }
  } catch {
    // An operator without a network has other lines that say so.
  }
}

/** The release that a page names: `tag_name` of GitHub's JSON, else the highest `1.2.3` without a pre-release suffix. */
export function newestIn(text: string): string | undefined {
  const [, tag] = /"tag_name"\s*:\s*"v?(\d+\.\d+\.\d+)"/.exec(text) ?? []
  if (tag !== undefined) return tag
  const versions = [...text.matchAll(/(?<![\d.])v?(\d{1,5}\.\d{1,5}\.\d{1,5})(?![\d.-])/g)].map(([, found]) => found!)
  return versions.sort(Bun.semver.order).at(-1)
}
