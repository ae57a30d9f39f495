import { readFileSync } from "node:fs"

/** A running `monitored-miner.ts`. */
export interface Monitored {
  readonly url: string
  readonly port: number
  /** CPU time of all its threads so far, in seconds. */
  cpuSeconds(): number
  openFiles(): Promise<number>
  stop(): Promise<void>
}

/** Unit of CPU times in the proc file system: clock ticks per second. */
const TICKS = 100

/** @param env additional variables of the process */
export async function startMonitored(env: Readonly<Record<string, string>> = {}): Promise<Monitored> {
  const script = `${import.meta.dir}/monitored-miner.ts`
  const child = Bun.spawn([process.execPath, script], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  })
  const { value } = await child.stdout.getReader().read()
  const port = Number(new TextDecoder().decode(value))
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    port,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ")
      return (Number(fields[11]) + Number(fields[12])) / TICKS
    },
    async openFiles() {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(text.match(/^process_open_fds (\d+)$/m)?.[1])
    },
    async stop() {
      child.kill()
      await child.exited
    },
  }
}
