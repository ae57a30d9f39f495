import { expect, test } from "bun:test"
import { MissingSecret, secretFile, TOKEN } from "../../src/config/secrets.ts"
import { memoryFiles } from "./memory-files.ts"

test.each([
  "/home/a/.local/share/quantus-node/chains/dirac/miner-auth-token",
  "/Users/a/Library/Application Support/quantus-node/chains/dirac/miner-auth-token",
  "C:\\Users\\a\\AppData\\Local\\quantus-node\\data\\chains\\dirac\\miner-auth-token",
])("%s may be written later, with its directory", path => {
  expect(() => secretFile(path, "--auth-token-file", TOKEN, memoryFiles({}))).toThrow(MissingSecret)
})

test("a missing directory elsewhere is an incorrect path", () => {
  const read = () => secretFile("/somewhere/chains/dirac/miner-auth-token", "--auth-token-file", TOKEN, memoryFiles({}))
  expect(read).toThrow("/somewhere/chains/dirac/miner-auth-token")
  expect(read).not.toThrow(MissingSecret)
})
