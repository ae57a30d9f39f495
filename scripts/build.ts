/**
 * Writes `dist/quantus-miner`: everything, the runtime included, in one executable for this machine.
 *
 *     bun scripts/build.ts [--outfile FILE]
 *
 * Executables for other machines are made by `npm run release`.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { bundle } from "./bundle.ts"

try {
  await main()
} catch (error) {
  const errors = error instanceof AggregateError ? error.errors : [error]
  for (const { message } of errors) console.error(`build: ${message}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { outfile: { type: "string", default: "dist/quantus-miner" } } })
  const { outfile } = values
  const started = performance.now()
  mkdirSync(dirname(outfile), { recursive: true })
  // Bun leaves source maps beside the executable; the embedded ones are enough.
  const scratch = mkdtempSync(join(dirname(outfile), ".build-"))
  try {
    const built = await bundle({ outfile: join(scratch, basename(outfile)), bytecode: true })
    renameSync(built, outfile)
    const megabytes = (Bun.file(outfile).size / 1e6).toFixed(0)
    console.log(`${outfile}: ${megabytes} MB in ${Math.round(performance.now() - started)} ms`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
