/** What the built miner shows of itself never holds the token or the pin. */
import { expect, test } from "bun:test"
import { chmodSync, readFileSync } from "node:fs"
import { freeTcpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { ROUTES } from "../support/routes.ts"
import { figure } from "./figures.ts"
import { startScriptedNode } from "./scripted-node.ts"

test("token and pin are in no log line, metric, page, title or error", async () => {
  const node = await startScriptedNode()
  const metricsPort = freeTcpPort()
  const miner = new MinerProcess([
    "serve",
    "--verbose",
    "--node-addr",
    `127.0.0.1:${node.port}`,
    `--metrics-port=${metricsPort}`,
    ...node.credentials,
  ])
  const peer = await node.peer()
  await peer.resultOf(peer.sendJob(1n).id)
  peer.sendBytes(new Uint8Array([0xff, 0xff, 0xff, 0xff]))
  const next = await node.peer(1)
  await next.resultOf(next.sendJob(1n).id)
  const shown = new Map<string, string>()
  for (const route of [...ROUTES, "/nothing"]) {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}${route}`)
    shown.set(route, JSON.stringify([...answer.headers]) + (await answer.text()))
  }
  for (const file of ["cmdline", "comm"]) shown.set(file, readFileSync(`/proc/${miner.pid}/${file}`, "utf8"))
  expect(await miner.stop()).toBe(0)
  shown.set("log", miner.text)
  await node.close()
  const { token, pin } = node.identity
  for (const [where, text] of shown) {
    for (const secret of [token, pin]) expect([where, text.toLowerCase().includes(secret)]).toEqual([where, false])
  }
  figure(
    "token and pin",
    `in none of ${shown.size} places looked at, ${miner.lines.length} verbose log lines among them`,
  )
})

test("a token that others can read is warned about", async () => {
  const node = await startScriptedNode()
  const file = node.credentials[0]!.split("=")[1]!
  chmodSync(file, 0o644)
  const miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, ...node.credentials])
  await miner.line(/chmod 600/)
  expect(await miner.stop()).toBe(0)
  await node.close()
})
