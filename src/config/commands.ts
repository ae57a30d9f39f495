/** The subcommands for usage and validation; `src/commands/` implements them. */
export interface CommandInfo {
  readonly description: string
  /** Names of the positional arguments; all or none are given. */
  readonly positionals?: readonly string[]
}

export const COMMANDS = {
  serve: { description: "Mine: receive jobs from a node or a pool and return seals" },
  benchmark: { description: "Measure the hash rate and verify every hit" },
  tune: { description: "Search for a faster order of a kernel's instructions on this machine, and keep it" },
  hash: {
    description: "Print the hash of a header and a nonce; without arguments, of JSON lines from standard input",
    positionals: ["header", "nonce"],
  },
  devices: { description: "List GPUs with their engine, memory, PCI address, driver and measured rate" },
  sources: { description: "Connect to each source once: latencies and the state of its certificate" },
  node: { description: "Run a development node that issues jobs and verifies seals" },
  pool: { description: "Run a development pool that verifies Stratum shares" },
  api: { description: "Serve the HTTP job API" },
  demo: { description: "Mine a few seals for an embedded development node" },
  doctor: { description: "Check this machine, its engines, GPUs and the configured sources, and say what to do" },
  setup: { description: "Ask what mining needs, write the configuration file, and offer to start at log-in" },
  health: { description: "Report whether a miner on this machine is ready: exit code 0, or 1 and the reason" },
  completions: { description: "Print the completion script of a shell: bash, zsh or fish", positionals: ["shell"] },
  version: { description: "Print the version, and with --json commit, runtime, target and engines" },
} as const satisfies Record<string, CommandInfo>

export type Command = keyof typeof COMMANDS
