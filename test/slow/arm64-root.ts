/** What runs arm64 programs here: this machine, or qemu-user with the root that `scripts/arm64-root.sh` builds. */
import { expect } from "bun:test"

const qemu = Bun.which("qemu-aarch64-static") ?? Bun.which("qemu-aarch64")

/** Why arm64 programs do not run here; undefined if they do. */
export const arm64Missing = process.arch === "arm64" || qemu ? undefined : "skipped: needs qemu-user-static"

let root: string | undefined

/** The folder with arm64's C library and runtime. */
function arm64Root(): string {
  if (root === undefined) {
    const run = Bun.spawnSync(["scripts/arm64-root.sh"], { stderr: "inherit" })
    expect(run.exitCode).toBe(0)
    root = run.stdout.toString().trim()
  }
  return root
}

/** The command that runs Bun for arm64. */
export const arm64Bun = (): string[] => [process.arch === "arm64" ? process.execPath : `${arm64Root()}/bun`]

/** The command that runs an arm64 executable. */
export const arm64Command = (executable: string): string[] =>
  process.arch === "arm64" ? [executable] : [qemu!, "-L", arm64Root(), executable]

/** Runs a command that must succeed. @returns its standard output and standard error */
export async function output(
  command: readonly string[],
  { env = {}, input = "" }: { readonly env?: Record<string, string>; readonly input?: string } = {},
): Promise<{ out: string; err: string }> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  expect(code, `${out}${err}`.slice(-2000)).toBe(0)
  return { out, err }
}
