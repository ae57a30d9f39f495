import { copyFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { PIN_FILE, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { LoggedProcess } from "../support/logged-process.ts"

/** Starts a quantus-node when called as `NODE_RUN DIR --port P [--paused]` and ends with it. */
const { NODE_RUN: starter } = process.env

/** Why no node can be started; absent if one can. */
export const nodeMissing = starter ? undefined : "NODE_RUN names no starter of a quantus-node"

/** How long an import may take after its seal was sent. */
const IMPORT_MS = 15_000

/** Token and pin, or the paths of their files. */
export interface Credentials {
  readonly token: string
  readonly pin: string
}

export const credentialsIn = (dir: string): Credentials => ({ token: join(dir, TOKEN_FILE), pin: join(dir, PIN_FILE) })

/** A whole quantus-node, which makes block templates, judges seals and imports blocks. */
export class RealNode extends LoggedProcess {
  /** The base path `dir` keeps chain, token and certificate between runs. A paused node waits for peers. */
  constructor(
    readonly dir: string,
    readonly port: number,
    paused: boolean,
  ) {
    const options = paused ? ["--paused"] : []
    super([starter!, dir, "--port", `${port}`, ...options], { env: process.env, group: true })
  }

  /** Settles once miners can connect and their credentials are written. */
  async listening(): Promise<void> {
    await this.line(/Miner server listening/)
  }

  /** The files that the node wrote. */
  get credentials(): Credentials {
    const [token] = new Bun.Glob(`chains/*/${TOKEN_FILE}`).scanSync({ cwd: this.dir, absolute: true })
    return credentialsIn(dirname(token!))
  }

  copyCredentials(dir: string): void {
    const [from, to] = [this.credentials, credentialsIn(dir)]
    copyFileSync(from.token, to.token)
    copyFileSync(from.pin, to.pin)
  }

  /** Numbers of the blocks that this run has imported. */
  get imported(): readonly number[] {
    return this.lines.flatMap(({ text }) => Number(/ Imported #(\d+) /.exec(text)?.[1] ?? 0) || [])
  }

  /** The numbers of imported blocks once there are `count`, or those that came in time. */
  async importsOf(count: number): Promise<readonly number[]> {
    const deadline = performance.now() + IMPORT_MS
    while (this.imported.length < count && performance.now() < deadline) await Bun.sleep(50)
    return this.imported
  }

  /** The best block's number, by RPC. */
  async height(): Promise<number> {
    const { text } = await this.line(/JSON-RPC server: addr=127\.0\.0\.1:\d+/)
    const [, port] = /addr=127\.0\.0\.1:(\d+)/.exec(text)!
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "chain_getHeader", params: [] }),
    })
    const { result } = (await response.json()) as { result: { number: string } }
    return Number(result.number)
  }
}
