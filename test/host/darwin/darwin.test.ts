import { expect, test } from "bun:test"
import { darwin } from "../../../src/host/darwin/darwin.ts"

test("state and the node's files are in the user's application support", () => {
  const env = { HOME: "/Users/a" }
  expect(darwin.stateDirectory(env)).toBe("/Users/a/Library/Application Support/quantus-miner")
  expect(darwin.nodeDirectory(env)).toBe("/Users/a/Library/Application Support/quantus-node")
  expect(darwin.stateDirectory({ ...env, XDG_STATE_HOME: "/s" })).toBe("/s/quantus-miner")
  expect(darwin.stateDirectory({})).toBeUndefined()
})

test("threads are not bound to CPUs", () => expect(darwin.bindsThreads).toBe(false))

test.skipIf(process.platform === "darwin")("without the system's library nothing throws", () => {
  expect(darwin.memory()).toBeUndefined()
  expect(darwin.lock("a", {})).toEqual({ kind: "unlockable" })
})
