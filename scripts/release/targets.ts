/** The platforms of a release. */
export interface Target {
  readonly name: string
  /** Bun's name of it. */
  readonly bun: string
  /** The package that holds its runtime, and the executable's path in that. */
  readonly runtimePackage: string
  readonly runtimePath: string
  /** The name under which the established miner publishes its executable, where it has one. */
  readonly upstreamAsset?: string
  readonly archive: "tar.xz" | "zip"
  /** What a machine must have. */
  readonly needs: string
  /** How `npm run test:artefacts` runs it. */
  readonly tested: string
}

/** The newest version of glibc of which an executable needs a function. */
export const GLIBC = "2.17"

const SSE42 = "SSE4.2"
const MUSL = "musl 1.2.4, libstdc++ and libgcc_s"
const unix = { runtimePath: "package/bin/bun", archive: "tar.xz" } as const

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    bun: "bun-linux-x64",
    runtimePackage: "@oven/bun-linux-x64",
    upstreamAsset: "quantus-miner-linux-x86_64",
    needs: `glibc ${GLIBC} and ${SSE42}`,
    tested: "natively, and on an emulated CPU without AVX",
    ...unix,
  },
  {
    name: "linux-arm64",
    bun: "bun-linux-arm64",
    runtimePackage: "@oven/bun-linux-aarch64",
    upstreamAsset: "quantus-miner-linux-aarch64",
    needs: `glibc ${GLIBC}`,
    tested: "on an emulated CPU",
    ...unix,
  },
  {
    name: "linux-x64-musl",
    bun: "bun-linux-x64-musl",
    runtimePackage: "@oven/bun-linux-x64-musl",
    needs: `${MUSL}, ${SSE42}`,
    tested: "natively with musl 1.2.5",
    ...unix,
  },
  {
    name: "linux-arm64-musl",
    bun: "bun-linux-arm64-musl",
    runtimePackage: "@oven/bun-linux-aarch64-musl",
    needs: MUSL,
    tested: "on an emulated CPU with musl 1.2.5",
    ...unix,
  },
  {
    name: "windows-x64",
    bun: "bun-windows-x64",
    runtimePackage: "@oven/bun-windows-x64",
    runtimePath: "package/bin/bun.exe",
    upstreamAsset: "quantus-miner-windows-x86_64.exe",
    needs: `64-bit Windows and ${SSE42}`,
    tested: "under Wine 10; never on Windows",
    archive: "zip",
  },
  {
    name: "darwin-arm64",
    bun: "bun-darwin-arm64",
    runtimePackage: "@oven/bun-darwin-aarch64",
    upstreamAsset: "quantus-miner-macos-aarch64",
    needs: "macOS on Apple silicon",
    tested: "built, never run; the signature was read back",
    ...unix,
  },
  {
    name: "darwin-x64",
    bun: "bun-darwin-x64",
    runtimePackage: "@oven/bun-darwin-x64",
    upstreamAsset: "quantus-miner-macos-x86_64",
    needs: "macOS on Intel",
    tested: "built, never run; the signature was read back",
    ...unix,
  },
]
