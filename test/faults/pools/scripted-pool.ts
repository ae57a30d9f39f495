/**
 * A Stratum pool that follows a script, right or wrong. It verifies every share with the reference hash and keeps count
 * of what it received and answered.
 */
import { createHash } from "node:crypto"
import net from "node:net"
import { targetOf, verifySeal } from "../../../src/pow/target.ts"

export const DIFFICULTY = 5000n

/** One step of the pool. A template's `$id` is the request's id; `$header:ID` is the header of that job. */
export interface Send {
  /** Milliseconds after the step before. */
  readonly after?: number
  /** JSON, or any text, without its newline. */
  readonly line?: string
  /** Bytes of a piece; the whole text at once by default. */
  readonly piece?: number
  readonly raw?: boolean
  readonly close?: boolean
}

/** An answer to a share. */
export interface Answer {
  /** Whether the share counts for the pool, whatever it answers. */
  readonly counts: boolean
  readonly send: readonly Send[]
}

/** In every list the last entry repeats. */
export interface Script {
  /** By connection. */
  readonly connect?: readonly (readonly Send[])[]
  /** By login. */
  readonly login: readonly (readonly Send[])[]
  /** By login, then by share. */
  readonly share?: readonly (readonly Answer[])[]
  readonly keepalive?: readonly Send[]
  /** Difficulty of the jobs by id, where it is another than `DIFFICULTY`. */
  readonly difficulty?: Readonly<Record<string, bigint>>
  /** Difficulty of jobs without another, by login. */
  readonly difficulties?: readonly bigint[]
  /** Hex of the first bytes of every nonce, by job; `00000001` by default. */
  readonly extranonce?: Readonly<Record<string, string>>
}

export interface Share {
  readonly nonce: string
  /** As JSON, with its type. */
  readonly jobId: string
  readonly session: string | undefined
  readonly connection: number
  readonly valid: boolean
  readonly counts: boolean
  readonly isAnswered: boolean
}

export interface ScriptedPool {
  readonly port: number
  readonly connections: number
  readonly logins: number
  readonly keepalives: number
  readonly shares: readonly Share[]
  /** Different shares that count. */
  readonly counted: number
  /** Shares that came again although they counted and that was answered, or for a third time without an answer. */
  readonly doubles: number
  /** Withdraws the job and ends the script, so that no more shares come. Shares are still answered. */
  rest(): void
  close(): void
}

/** @param salt makes the headers of its jobs others than those of another pool */
export async function startScriptedPool(script: Script, salt: string): Promise<ScriptedPool> {
  const total = { connections: 0, logins: 0, keepalives: 0 }
  const shares: Share[] = []
  const sockets = new Set<net.Socket>()
  let isResting = false
  const header = (job: string) => createHash("sha256").update(`${salt} ${job}`).digest()
  const verify = (job: string, nonce: string) => {
    const { difficulty = {}, extranonce = {}, difficulties = [DIFFICULTY] } = script
    if (!/^[0-9a-f]{128}$/.test(nonce) || !nonce.startsWith(extranonce[job] ?? "00000001")) return false
    return (
      verifySeal(
        header(job),
        Uint8Array.fromHex(nonce),
        targetOf(difficulty[job] ?? nth(difficulties, total.logins - 1)),
      ) !== undefined
    )
  }
  const server = net.createServer(socket => {
    const connection = total.connections++
    let answers: readonly Answer[] = [SILENCE]
    let answered = 0
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => {})
    const answer = (id: unknown, sends: readonly Send[]) => void play(socket, id, sends, header, () => true)
    const say = (id: unknown, sends: readonly Send[]) => void play(socket, id, sends, header, () => !isResting)
    say(null, nth(script.connect ?? [[]], connection))
    let rest = ""
    socket.on("data", chunk => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        const { id, method, params } = JSON.parse(line)
        if (method === "login") {
          answers = nth(script.share ?? [[SILENCE]], total.logins)
          answered = 0
          say(id, nth(script.login, total.logins++))
        } else if (method === "keepalived") {
          total.keepalives++
          say(id, script.keepalive ?? [])
        } else if (method === "submit") {
          const { counts, send } = nth(answers, answered++)
          const [, session, jobId] = /"params":\{(?:"id":("[^"]*"|[^,]*),)?"job_id":("[^"]*"|[^,]*),/.exec(line)!
          const { nonce } = params
          const valid = verify(jobId!.replaceAll('"', ""), nonce)
          const isKnown = shares.some(share => share.nonce === nonce && share.counts)
          const isAnswered = isKnown || send.length > 0
          shares.push({ nonce, jobId: jobId!, session, connection, valid, counts: counts && valid, isAnswered })
          answer(id, isKnown ? DUPLICATE : send)
        }
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return total.connections
    },
    get logins() {
      return total.logins
    },
    get keepalives() {
      return total.keepalives
    },
    shares,
    get counted() {
      return new Set(shares.filter(share => share.counts).map(({ nonce }) => nonce)).size
    },
    get doubles() {
      const before = (share: Share) =>
        shares.slice(0, shares.indexOf(share)).filter(({ nonce }) => nonce === share.nonce)
      return shares.filter(share => {
        const earlier = before(share)
        const unanswered = earlier.filter(({ isAnswered }) => !isAnswered).length
        return unanswered > 1 || earlier.some(({ counts, isAnswered }) => counts && isAnswered)
      }).length
    },
    rest() {
      isResting = true
      for (const socket of sockets) socket.write('{"method":"job","params":{"job":null}}\n')
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const SILENCE: Answer = { counts: true, send: [] }

/** What every pool says to a share that it has counted before. */
const DUPLICATE: readonly Send[] = [
  { line: '{"id":$id,"result":null,"error":{"code":22,"message":"Duplicate share"}}' },
]

const nth = <T>(items: readonly T[], index: number): T => items[Math.min(index, items.length - 1)]!

async function play(
  socket: net.Socket,
  id: unknown,
  sends: readonly Send[],
  header: (job: string) => Buffer,
  continues: () => boolean,
): Promise<void> {
  for (const { after = 0, line, piece, raw = false, close = false } of sends) {
    if (after > 0) await Bun.sleep(after)
    if (!continues()) return
    if (line !== undefined) {
      const text = line
        .replaceAll("$id", JSON.stringify(id))
        .replace(/\$header:(\w*)/g, (_, job: string) => header(job).toString("hex"))
      const bytes = Buffer.from(raw ? text : `${text}\n`)
      for (let at = 0; at < bytes.length; at += piece ?? bytes.length) {
        if (at > 0) await Bun.sleep(1)
        if (!socket.destroyed) socket.write(bytes.subarray(at, at + (piece ?? bytes.length)))
      }
    }
    if (close) socket.destroySoon()
  }
}

/** The target as pools write it, 128 hex digits. */
export const targetHex = (difficulty: bigint): string => targetOf(difficulty).toString(16).padStart(128, "0")
