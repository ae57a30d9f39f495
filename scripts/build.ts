/**
 * Writes `dist/quantus-miner`: everything, the runtime included, in one executable.
 *
 *     bun scripts/build.ts [--outfile FILE] [--target TARGET]…
 *
 * A target is `linux-x64`, `linux-x64-baseline` (also for CPUs without AVX2), `linux-x64-musl`, `linux-arm64`,
 * `darwin-arm64`, `windows-x64` and so on; without one it is this machine. Bun downloads another target's runtime.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { parseArgs } from "node:util"

/** Modules that the program starts as workers go by this name. */
const WORKERS = new Bun.Glob("src/**/worker.ts")

try {
  await main()
} catch (error) {
  const errors = error instanceof AggregateError ? error.errors : [error]
  for (const { message } of errors) console.error(`build: ${message}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { outfile: { type: "string" }, target: { type: "string", multiple: true, default: [] } },
  })
  const { outfile, target: targets } = values
  if (outfile !== undefined && targets.length > 1) throw new Error("--outfile is for one target")
  if (targets.length === 0) await build(outfile ?? "dist/quantus-miner")
  for (const target of targets) await build(outfile ?? `dist/quantus-miner-${target}`, target)
}

async function build(outfile: string, target?: string): Promise<void> {
  const started = performance.now()
  mkdirSync(dirname(outfile), { recursive: true })
  // Source maps are embedded, so that a stack names lines of the source; they are also left beside the executable.
  const scratch = mkdtempSync(join(dirname(outfile), ".build-"))
  try {
    const built = await bundle(join(scratch, basename(outfile)), target)
    // For Windows its name has got an ending.
    const executable = join(dirname(outfile), basename(built))
    renameSync(built, executable)
    const megabytes = (Bun.file(executable).size / 1e6).toFixed(0)
    console.log(`${executable}: ${megabytes} MB in ${Math.round(performance.now() - started)} ms`)
  } catch (error) {
    if (target) console.error(`build: ${target} needs a runtime of its own: is that a target, and can Bun download it?`)
    throw error
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** @returns the path of the executable */
async function bundle(outfile: string, target: string | undefined): Promise<string> {
  const { outputs } = await Bun.build({
    // The first is what runs; a worker is found by its path under the root.
    entrypoints: ["src/main.ts", ...WORKERS.scanSync()],
    root: "src",
    target: "bun",
    format: "esm",
    minify: { syntax: true, whitespace: true },
    splitting: true,
    bytecode: true,
    sourcemap: "inline",
    compile: {
      outfile,
      ...(target && { target: `bun-${target}` as Bun.Build.CompileTarget }),
      // What lies in the directory that a miner is started in is none of its business.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  })
  return outputs[0]!.path
}
