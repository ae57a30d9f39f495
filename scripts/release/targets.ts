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
}

const unix = { runtimePath: "package/bin/bun", archive: "tar.xz" } as const

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    bun: "bun-linux-x64",
    runtimePackage: "@oven/bun-linux-x64",
    upstreamAsset: "quantus-miner-linux-x86_64",
    ...unix,
  },
  {
    name: "linux-arm64",
    bun: "bun-linux-arm64",
    runtimePackage: "@oven/bun-linux-aarch64",
    upstreamAsset: "quantus-miner-linux-aarch64",
    ...unix,
  },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl", runtimePackage: "@oven/bun-linux-x64-musl", ...unix },
  { name: "linux-arm64-musl", bun: "bun-linux-arm64-musl", runtimePackage: "@oven/bun-linux-aarch64-musl", ...unix },
  {
    name: "windows-x64",
    bun: "bun-windows-x64",
    runtimePackage: "@oven/bun-windows-x64",
    runtimePath: "package/bin/bun.exe",
    upstreamAsset: "quantus-miner-windows-x86_64.exe",
    archive: "zip",
  },
  {
    name: "darwin-arm64",
    bun: "bun-darwin-arm64",
    runtimePackage: "@oven/bun-darwin-aarch64",
    upstreamAsset: "quantus-miner-macos-aarch64",
    ...unix,
  },
  {
    name: "darwin-x64",
    bun: "bun-darwin-x64",
    runtimePackage: "@oven/bun-darwin-x64",
    upstreamAsset: "quantus-miner-macos-x86_64",
    ...unix,
  },
]
