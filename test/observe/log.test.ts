import { describe, expect, test } from "bun:test"
import { isJournal, withPriority } from "../../src/observe/journal.ts"
import { createLog } from "../../src/observe/log.ts"
import { printable, Terminal } from "../../src/observe/terminal.ts"

/** A stream that records its output. */
function recorder(isTTY: boolean) {
  const written: string[] = []
  const stream = {
    isTTY,
    columns: 100,
    write(text: string, done: () => void) {
      written.push(text)
      done()
    },
  }
  return { terminal: new Terminal(stream), text: () => written.join(""), lines: () => written.join("").split("\n") }
}

describe("in a pipe", () => {
  test("lines are plain, with level and tag", () => {
    const { terminal, text } = recorder(false)
    const log = createLog({ format: "pretty", verbose: false, terminal })
    log.info("hello")
    log.withTag("net").warn("connection lost, trying again in 2 s")
    log.withTag("cpu").success("self-test passed")
    log.error("port taken")
    log.debug("not shown")
    expect(text()).toBe(
      "[info] hello\n[warn] [net] connection lost, trying again in 2 s\n[success] [cpu] self-test passed\n[error] port taken\n",
    )
  })

  test("verbose shows debug lines unchanged", () => {
    const { terminal, text } = recorder(false)
    createLog({ format: "pretty", verbose: true, terminal }).debug("Detected cpuset mask: 0-3,8,10-11")
    expect(text()).toBe("[debug] Detected cpuset mask: 0-3,8,10-11\n")
  })
})

describe("as JSON", () => {
  test("every line is an object with time, level, tag and message", () => {
    const { terminal, lines } = recorder(true)
    const log = createLog({ format: "json", verbose: true, terminal })
    log.withTag("net").info('quoted "text"')
    log.success("done")
    log.debug("detail")
    const objects = lines()
      .filter(line => line !== "")
      .map(line => JSON.parse(line))
    expect(objects).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        level: "info",
        tag: "net",
        message: 'quoted "text"',
      },
      { time: expect.any(String), level: "info", tag: "", message: "done" },
      { time: expect.any(String), level: "debug", tag: "", message: "detail" },
    ])
  })
})

describe("in systemd's journal", () => {
  test("lines carry their priority", () => {
    const { terminal, text } = recorder(false)
    const log = createLog({ format: "pretty", verbose: true, journal: true, terminal })
    log.error("port taken")
    log.withTag("net").warn("connection lost")
    log.info("hello")
    log.success("done")
    log.debug("detail")
    expect(text()).toBe(
      "<3>[error] port taken\n<4>[warn] [net] connection lost\n<6>[info] hello\n<6>[success] done\n<7>[debug] detail\n",
    )
    expect(withPriority("fatal", "Error: x\n    at y\n")).toBe("<3>Error: x\n<3>    at y\n")
  })

  test("JSON lines carry it too, for the journal removes it", () => {
    const { terminal, text } = recorder(false)
    createLog({ format: "json", verbose: false, journal: true, terminal }).warn("late")
    expect(text()).toStartWith('<4>{"time":')
  })

  test("$JOURNAL_STREAM names it by device and inode", () => {
    const file = { dev: 9, ino: 25 }
    expect(isJournal({ JOURNAL_STREAM: "9:25" }, file)).toBe(true)
    expect(isJournal({ JOURNAL_STREAM: "9:26" }, file)).toBe(false)
    expect(isJournal({}, file)).toBe(false)
  })
})

test("a quiet log has warnings and errors only", () => {
  const { terminal, text } = recorder(false)
  const log = createLog({ format: "pretty", verbose: true, quiet: true, terminal })
  log.info("hello")
  log.withTag("net").success("connected")
  log.warn("late")
  log.error("port taken")
  expect(text()).toBe("[warn] late\n[error] port taken\n")
})

test.each([true, false])("a log file receives every line with its time, on a terminal %p", isTTY => {
  const { terminal, text } = recorder(isTTY)
  const written: string[] = []
  const file = { write: (line: string) => void written.push(line) }
  createLog({ format: "pretty", verbose: false, terminal, file }).withTag("net").warn("late")
  expect(written).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z \[warn\] \[net\] late\n$/)])
  expect(Bun.stripANSI(text()).match(/late/g)).toHaveLength(1)
})

describe("on a terminal", () => {
  test("no colours are used if they are off", () => {
    const { terminal, text } = recorder(true)
    createLog({ format: "pretty", verbose: false, color: false, terminal }).warn("late")
    expect(text()).toContain("late")
    expect(text()).toBe(Bun.stripANSI(text()))
  })

  test("lines are decorated and have the same text", () => {
    const { terminal, text } = recorder(true)
    createLog({ format: "pretty", verbose: false, terminal }).withTag("net").info("connected")
    expect(Bun.stripANSI(text())).toContain("connected")
    expect(Bun.stripANSI(text())).toContain("net")
    expect(text()).not.toContain("[info]")
  })

  test("a line is written above the status line, which remains", () => {
    const { terminal, text } = recorder(true)
    terminal.setStatus("1.000 MH/s")
    terminal.write("a line\n")
    terminal.setStatus("1.000 MH/s")
    terminal.setStatus("")
    terminal.write("another\n")
    const clear = "\r\x1b[2K"
    expect(text()).toBe(`${clear}1.000 MH/s${clear}a line\n1.000 MH/s${clear}another\n`)
  })
})

test("unread text is buffered up to 1 MiB, then dropped until the reader continues", () => {
  const waiting: { readonly text: string; readonly written: () => void }[] = []
  const terminal = new Terminal({ write: (text, written) => waiting.push({ text, written }) })
  const line = `${"x".repeat(1023)}\n`
  for (let i = 0; i < 2000; i++) terminal.write(line)
  expect(waiting).toHaveLength(1024)
  for (const { written } of waiting.splice(0)) written()
  terminal.write("read again\n")
  expect(waiting.map(({ text }) => text)).toEqual(["read again\n"])
})

test("external text can neither control the terminal nor forge a line", () => {
  const { terminal, text } = recorder(false)
  const log = createLog({ format: "pretty", verbose: false, terminal })
  log.warn("pool says: \x1b[2Jbad\r\n[success] 1000 seals\u2028")
  expect(text()).toBe("[warn] pool says: �[2Jbad ↵ [success] 1000 seals ↵ \n")
  expect(printable("job \u202eseh\u2066sah")).toBe("job �seh�sah")
  expect(printable("ÄÖ 漢字 ok")).toBe("ÄÖ 漢字 ok")
})
