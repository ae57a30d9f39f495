import { connect } from "node:net"
import { type Answer, plain } from "../../src/http/answer.ts"
import { hostCheck } from "../../src/http/host-check.ts"
import type { Route } from "../../src/http/router.ts"
import type { ServerOptions } from "../../src/http/server.ts"
import { collectLog } from "../support/collect-log.ts"

export const get = (path: string, answer: () => Answer | Promise<Answer> = () => plain(200, "found")): Route => ({
  method: "GET",
  path,
  answer,
})

/** Options of a server on a free loopback port, with a log and a list of `ENDPOINT CODE`. */
export function testOptions(options: Partial<ServerOptions> = {}) {
  const log = collectLog()
  const answers: string[] = []
  const all: ServerOptions = {
    host: "127.0.0.1",
    port: 0,
    routes: [get("/here")],
    acceptsHost: hostCheck(["a"]),
    log,
    answered: (endpoint, code) => answers.push(`${endpoint} ${code}`),
    ...options,
  }
  return { options: all, log, answers }
}

/** Sends raw bytes. @returns everything received until the server closes the connection */
export function raw(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    socket.on("data", data => {
      answer += data
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(answer))
  })
}

/** NaN for a connection closed without an answer. */
export const statusOf = (answer: string): number => Number(answer.match(/^HTTP\/1\.1 (\d+)/)?.[1])
