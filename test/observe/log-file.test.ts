import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LogFile } from "../../src/observe/log-file.ts"

const directory = mkdtempSync(join(tmpdir(), "quantus-miner-log-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const read = (path: string) => readFileSync(path, "utf8")
const unexpected = (message: string) => {
  throw new Error(message)
}

test("lines are appended to what the file has, which others cannot read", () => {
  const path = join(directory, "append.log")
  new LogFile({ path, failed: unexpected }).write("one\n")
  new LogFile({ path, failed: unexpected }).write("two\n")
  expect(read(path)).toBe("one\ntwo\n")
  if (process.platform !== "win32") expect(statSync(path).mode & 0o007).toBe(0)
})

test("at its maximum size it is rotated, and three older files are kept", () => {
  const path = join(directory, "rotated.log")
  const file = new LogFile({ path, failed: unexpected, maxBytes: 10 })
  for (const line of ["1", "2", "3", "4", "5"]) file.write(`line ${line}\n`)
  expect(read(path)).toBe("line 5\n")
  expect([1, 2, 3].map(number => read(`${path}.${number}`))).toEqual(["line 4\n", "line 3\n", "line 2\n"])
  expect(existsSync(`${path}.4`)).toBe(false)
})

test("a file that cannot be rotated is reported once and grows", () => {
  const path = join(directory, "stuck.log")
  mkdirSync(join(`${path}.3`, "in the way"), { recursive: true })
  writeFileSync(`${path}.2`, "older")
  const said: string[] = []
  const file = new LogFile({ path, failed: message => void said.push(message), maxBytes: 10 })
  for (const line of ["1", "2", "3"]) file.write(`line ${line}\n`)
  expect(read(path)).toBe("line 1\nline 2\nline 3\n")
  expect(said).toEqual([expect.stringMatching(/^the log file \S+stuck\.log cannot be rotated and grows: [A-Z]+$/)])
})

test("a file that another program renamed is created again on reload", () => {
  const path = join(directory, "renamed.log")
  const file = new LogFile({ path, failed: unexpected })
  file.write("old\n")
  renameSync(path, `${path}.old`)
  file.write("still old\n")
  file.reopen()
  file.write("new\n")
  expect(read(`${path}.old`)).toBe("old\nstill old\n")
  expect(read(path)).toBe("new\n")
})

test("a file that cannot be opened ends the start with its path", () => {
  const path = join(directory, "absent", "x.log")
  expect(() => new LogFile({ path, failed: unexpected })).toThrow(`--log-file ${path} cannot be written: ENOENT`)
})

test("a file that cannot be written any more is reported once, and written again when it can be", () => {
  const folder = join(directory, "moved")
  const path = join(folder, "x.log")
  mkdirSync(folder, { recursive: true })
  const said: string[] = []
  const file = new LogFile({ path, failed: message => void said.push(message) })
  renameSync(folder, `${folder}.away`)
  file.reopen()
  file.write("lost\n")
  file.write("lost too\n")
  expect(said).toEqual([`the log file ${path} cannot be written: ENOENT`])
  mkdirSync(folder, { recursive: true })
  file.write("back\n")
  expect(read(path)).toBe("back\n")
})
