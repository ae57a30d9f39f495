/** The subcommands, as usage and validation know them; what they do is in `src/commands/`. */
export interface CommandInfo {
  readonly description: string
  /** Names of the arguments without a flag, all of them optional together. */
  readonly positionals?: readonly string[]
}

export const COMMANDS = {
  serve: { description: "Mine: take jobs from a node or a pool and send back seals" },
  benchmark: { description: "Measure the hash rate, with every hit verified" },
  hash: {
    description: "Print the hash of a header and a nonce; without them, of JSON lines from standard input",
    positionals: ["header", "nonce"],
  },
  devices: { description: "List GPUs with their engine, memory, PCI address, driver and a quick rate" },
  node: { description: "Run the development node: jobs for miners, their seals judged" },
  pool: { description: "Run the development pool: Stratum shares, judged" },
  api: { description: "Serve the HTTP job API" },
  demo: { description: "Mine a few seals against the embedded development node" },
} as const satisfies Record<string, CommandInfo>

export type Command = keyof typeof COMMANDS
