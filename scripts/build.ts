/**
 * Writes `dist/quantus-miner`: everything, the runtime included, in one executable.
 *
 *     bun scripts/build.ts [--outfile FILE] [--target TARGET]…
 *
 * A target is `linux-x64`, `linux-x64-baseline` (CPUs without AVX2), `linux-arm64`, `linux-x64-musl`, `darwin-arm64`,
 * `windows-x64` and so on; without one it is this machine. Another target's runtime is downloaded by Bun.
 */
import { parseArgs } from "node:util"

const WORKERS = ["src/engines/cpu/worker.ts"]

const { values } = parseArgs({
  options: { outfile: { type: "string" }, target: { type: "string", multiple: true } },
})

if (values.outfile !== undefined && (values.target ?? []).length > 1) fail("--outfile is for one target")
for (const target of values.target ?? [undefined]) {
  await build(target, values.outfile ?? (target ? `dist/quantus-miner-${target}` : "dist/quantus-miner"))
}

async function build(target: string | undefined, outfile: string): Promise<void> {
  const started = performance.now()
  try {
    await Bun.build({
      // The first is what runs; a worker finds its code by its path under `src`, as the runtime keeps it.
      entrypoints: ["src/main.ts", ...WORKERS],
      root: "src",
      target: "bun",
      format: "esm",
      minify: { syntax: true, whitespace: true },
      splitting: true,
      bytecode: true,
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
  } catch (error) {
    fail(
      `${outfile}: ${describe(error)}${target ? ` (is there a runtime for ${target}, and a network to get it?)` : ""}`,
    )
  }
  const megabytes = (Bun.file(outfile).size / 1e6).toFixed(0)
  console.log(`${outfile}: ${megabytes} MB in ${Math.round(performance.now() - started)} ms`)
}

function describe(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(String).join("\n") : String(error)
}

function fail(message: string): never {
  console.error(`build: ${message}`)
  process.exit(1)
}
