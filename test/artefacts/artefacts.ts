/** The executables of a release as their users run them: from the published archives, on what runs each of them here. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { createKernel, KERNELS } from "../../src/engines/cpu/kernels.ts"
import { UnsupportedKernel } from "../../src/kernel/kernel.ts"

const ROOT = join(import.meta.dir, "../..")
export const RELEASE = join(ROOT, "dist/release")
if (!existsSync(join(RELEASE, "SHA256SUMS"))) throw new Error("run `npm run release` first")

/** Where the archives are unpacked. */
const UNPACKED = mkdtempSync(join(tmpdir(), "quantus-artefacts-"))
process.on("exit", () => rmSync(UNPACKED, { recursive: true, force: true }))

export interface Artefact {
  readonly name: string
  /** What runs it. */
  readonly by: string
  /** What is missing on this machine to run it. */
  readonly missing?: string
  /** Every start takes seconds. */
  readonly emulated?: boolean
  /** Lines that the runner itself writes to the error output. */
  readonly notices?: RegExp
  /** CPU engines that must run; all others must refuse. */
  readonly engines: readonly string[]
  /** The command that runs the unpacked executable, without arguments. */
  command(): readonly string[]
}

const ARM64 = Object.keys(KERNELS).filter(name => name.startsWith("arm64"))
const WASM = Object.keys(KERNELS).filter(name => name.startsWith("wasm"))

export const ARTEFACTS: readonly Artefact[] = [
  {
    name: "linux-x64",
    by: "this machine",
    engines: here(),
    command: () => [unpack("linux-x64")],
  },
  {
    name: "linux-x64",
    by: "an emulated x64 CPU without AVX",
    ...needs("qemu-x86_64"),
    emulated: true,
    engines: ["scalar", ...WASM],
    command: () => [qemu("x86_64"), "-cpu", "Nehalem", unpack("linux-x64")],
  },
  {
    name: "linux-arm64",
    by: "an emulated arm64 CPU",
    ...needs("qemu-aarch64"),
    emulated: true,
    engines: [...ARM64, ...WASM],
    command: () => [qemu("aarch64"), "-L", folder("arm64-root.sh"), unpack("linux-arm64")],
  },
  {
    name: "linux-x64-musl",
    by: "a root with musl 1.2.5",
    ...needs("unshare", "root"),
    engines: here(),
    command: () => inRoot(folder("musl-root.sh", "x64"), unpack("linux-x64-musl")),
  },
  {
    name: "linux-arm64-musl",
    by: "an emulated arm64 CPU with musl 1.2.5",
    ...needs("qemu-aarch64"),
    emulated: true,
    engines: [...ARM64, ...WASM],
    command: () => [qemu("aarch64"), "-L", folder("musl-root.sh", "arm64"), unpack("linux-arm64-musl")],
  },
  {
    name: "windows-x64",
    by: "Wine 10",
    ...needs("unshare", "debootstrap", "root"),
    // Wine's services, which start with the first program and end after the last one, report their faults there, too.
    notices: /^wine: .*\n/gm,
    engines: here(),
    command: () => [join(folder("wine-root.sh"), "wine"), unpack("windows-x64")],
  },
]

/** The path of the executable in a target's archive, unpacked once. */
export function unpack(target: string): string {
  const directory = join(UNPACKED, target)
  const archive = readdirSync(RELEASE).find(name => new RegExp(`-${target}\\.(tar\\.xz|zip)$`).test(name))!
  if (!existsSync(directory)) {
    mkdirSync(directory)
    if (archive.endsWith(".zip")) run("python3", "-m", "zipfile", "-e", join(RELEASE, archive), directory)
    else run("tar", "xf", join(RELEASE, archive), "-C", directory)
  }
  const program = target.startsWith("windows") ? "quantus-miner.exe" : "quantus-miner"
  return join(directory, archive.replace(/\.(tar\.xz|zip)$/, ""), program)
}

/** CPU engines that this machine runs. */
function here(): string[] {
  return Object.keys(KERNELS).filter(name => {
    try {
      createKernel(name)
      return true
    } catch (error) {
      if (!(error instanceof UnsupportedKernel)) throw error
      return false
    }
  })
}

function needs(...tools: string[]): { missing?: string } {
  const missing = tools.find(tool => (tool === "root" ? process.getuid!() !== 0 : !findTool(tool)))
  return missing === undefined ? {} : { missing }
}

function findTool(name: string): string | null {
  return Bun.which(`${name}-static`) ?? Bun.which(name)
}

const qemu = (machine: string): string => findTool(`qemu-${machine}`)!

/** Runs an executable in another root, with this system's `/proc` and `/dev`, in a mount namespace that ends with it. */
function inRoot(root: string, executable: string): string[] {
  const script = [
    'for folder in proc dev; do mount --rbind "/$folder" "$1/$folder"; done',
    'mount --bind "$2" "$1/mnt" && root=$1 && shift 2 && exec chroot "$root" "$@"',
  ]
  const command = ["sh", "-euc", script.join("\n"), "sh", root, dirname(executable), `/mnt/${basename(executable)}`]
  return ["unshare", "--mount", ...command]
}

/** The folder that a script of this project prepares. */
function folder(script: string, ...args: string[]): string {
  return run(join(ROOT, "scripts", script), ...args).trim()
}

function run(...command: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(command, { cwd: ROOT })
  if (!success) throw new Error(`${command.join(" ")}: ${stderr}`)
  return stdout.toString()
}
