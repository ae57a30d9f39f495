/** The server in `peer`, on the chain's published hash and messages: built by cargo as its lock file says, on first use. */
import { join } from "node:path"

const ROOT = join(import.meta.dir, "../..")

/** Why the peer cannot be built, if it cannot. */
export const peerMissing: string | undefined = Bun.which("cargo") ? undefined : "cargo is not installed"

let executable: Promise<string> | undefined

/**
 * The path of the built peer. The first build takes minutes.
 * @throws where the build fails
 */
export function builtPeer(): Promise<string> {
  executable ??= build()
  return executable
}

async function build(): Promise<string> {
  const target = join(ROOT, "node_modules/.cache/interop-peer")
  const manifest = join(import.meta.dir, "peer/Cargo.toml")
  const cargo = Bun.spawn(
    ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  )
  const [text, code] = await Promise.all([new Response(cargo.stderr).text(), cargo.exited])
  if (code !== 0) throw new Error(`the interop peer was not built:\n${text}`)
  return join(target, "release/quantus-miner-test-peer")
}
