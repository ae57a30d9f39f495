/**
 * The kernel workbench.
 *
 *     npm run kernel -- digest            compares the rendered kernels with test/kernel/digests.json
 *     npm run kernel -- digest --write    writes that file
 */
import { DIGESTS_FILE, type Digest, digestsOfAll } from "./kernel/digests.ts"

const USAGE = "usage: npm run kernel -- digest [--write]"

async function digest(write: boolean): Promise<number> {
  const now = digestsOfAll()
  const before = ((await Bun.file(DIGESTS_FILE).exists()) ? await Bun.file(DIGESTS_FILE).json() : {}) as Record<
    string,
    Digest
  >
  if (write) await Bun.write(DIGESTS_FILE, `${JSON.stringify(now, undefined, 2)}\n`)
  let changed = 0
  for (const [name, { sha256, ...counts }] of Object.entries(now)) {
    const isSame = before[name]?.sha256 === sha256
    if (!isSame) changed++
    const shown = Object.entries(counts).map(([what, count]) => {
      const old = before[name]?.[what as keyof typeof counts]
      return old === undefined || old === count ? `${what} ${count}` : `${what} ${old} → ${count}`
    })
    console.log(`${isSame ? "same   " : "changed"}  ${name.padEnd(12)}  ${sha256.slice(0, 16)}  ${shown.join(", ")}`)
  }
  return changed > 0 && !write ? 1 : 0
}

const [command, ...rest] = process.argv.slice(2)
if (command === "digest" && rest.every(argument => argument === "--write")) process.exit(await digest(rest.length > 0))
console.error(USAGE)
process.exit(2)
