/**
 * Measures the figures that the documents state and rewrites their blocks with machine, date and command:
 *
 *     npm run figures                          # all blocks
 *     npm run figures -- rates start           # these blocks
 *     npm run figures -- faults --from ci.log  # from what a test run printed
 *
 * A block `<!-- figures NAME -->` in any document of `DOCUMENTS` is filled. Tests print a figure as a line
 * `figure: WHAT => VALUE`.
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { host } from "../src/host/host.ts"
import { fillBlock, hasBlock, markdownTable } from "./document-blocks.ts"

const root = join(import.meta.dir, "..")
const DOCUMENTS = ["README.md", "docs/performance.md", "docs/reliability.md", "docs/fleet.md"]

const SLOW = ["npx", "bun", "test", "--path-ignore-patterns=", "--timeout", "600000"]

/** Each block, the command that measures it, and how its output becomes Markdown. */
export const BLOCKS: Readonly<Record<string, Block>> = {
  rates: {
    command: ["npm", "run", "-s", "bench", "--", "--rounds", "9", "--seconds", "2"],
    render: output => output.slice(output.indexOf("| engine")).trim(),
  },
  start: { command: [...SLOW, "./test/slow/footprint.test.ts"], render: figureTable },
  latency: { command: [...SLOW, "./test/faults/jobs.test.ts", "-t", "from NewJob"], render: figureTable },
  fleet: { command: [...SLOW, "./test/slow/fleet.test.ts", "./test/slow/fleet-costs.test.ts"], render: figureTable },
  clients: { command: [...SLOW, "./test/slow/unfinished-requests.test.ts"], render: figureTable },
  faults: { command: ["npm", "run", "-s", "test:faults"], render: figureTable },
}

interface Block {
  readonly command: readonly string[]
  render(output: string): string
}

/** The figures of a test run, in the order in which they were printed. @throws Error if there are none */
export function figureTable(output: string): string {
  const rows = [...output.matchAll(/^figure: (.+?) => (.+)$/gm)].map(([, what, value]) => [what!, value!.trim()])
  if (rows.length === 0) throw new Error("the run printed no figure")
  return markdownTable(["What", "Measured"], rows)
}

/** @param command as a reader types it */
export function blockText(machine: string, date: string, command: readonly string[], table: string): string {
  const typed = command.map(word => (/[^\w./:=-]/.test(word) ? `"${word}"` : word)).join(" ")
  return `${machine}, ${date}:\n\n    ${typed.replace(" -s ", " ")}\n\n${table}`
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { from: { type: "string" } } })
  const names = positionals.length > 0 ? positionals : Object.keys(BLOCKS)
  const unknown = names.find(name => !(name in BLOCKS))
  if (unknown !== undefined) throw new Error(`unknown block ${unknown}: ${Object.keys(BLOCKS).join(", ")}`)
  const cpu = await host.cpuInfo()
  const machine = `${cpu.model}, ${navigator.hardwareConcurrency} CPUs, ${process.platform}, Bun ${Bun.version}`
  for (const name of names) {
    const { command, render } = BLOCKS[name]!
    console.error(`${name}: ${command.join(" ")}`)
    const output = values.from === undefined ? await outputOf(command) : await Bun.file(values.from).text()
    await rewrite(`figures ${name}`, blockText(machine, new Date().toISOString().slice(0, 10), command, render(output)))
  }
}

/** @throws Error if the command fails: figures of a failed run are invalid */
async function outputOf(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { cwd: root, stdout: "pipe", stderr: "inherit" })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed:\n${output.slice(-2000)}`)
  return output
}

async function rewrite(name: string, body: string): Promise<void> {
  for (const path of DOCUMENTS) {
    const file = Bun.file(join(root, path))
    const text = await file.text()
    if (!hasBlock(text, name)) continue
    await file.write(fillBlock(text, name, body))
    console.error(`wrote ${name} into ${path}`)
  }
}

if (import.meta.main) await main()
