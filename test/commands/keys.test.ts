import { describe, expect, test } from "bun:test"
import { readKeys } from "../../src/commands/keys.ts"
import { isForegroundIn } from "../../src/host/linux/foreground.ts"
import { Bench } from "../observe/support.ts"
import { collectLog } from "../support/collect-log.ts"

/** A terminal, a process and a miner that record what is done to them. */
function setUp({ isTTY = true, foreground = true } = {}) {
  const state = { raw: false, foreground, interrupts: [] as string[], suspended: 0, pauses: [] as boolean[] }
  let listener: ((data: Buffer) => void) | undefined
  const handlers = new Map<string, () => void>()
  const log = collectLog()
  const { stats, clock } = new Bench()
  const stop = readKeys({
    input: {
      isTTY,
      setRawMode: raw => (state.raw = raw),
      on: (_, added) => (listener = added),
      off: () => (listener = undefined),
      resume() {},
      pause() {},
    },
    signals: {
      on: (signal, handler) => handlers.set(signal, handler),
      off: signal => handlers.delete(signal),
      interrupt: signal => state.interrupts.push(signal),
      suspend: () => (state.suspended += 1),
    },
    isInForeground: () => state.foreground,
    miner: { setPaused: (_, paused) => void state.pauses.push(paused) },
    snapshot: () => stats.snapshot(),
    clock,
    log,
  })
  const press = (text: string) => listener?.(Buffer.from(text))
  const signal = (name: string) => handlers.get(name)?.()
  const said = () => log.lines.map(({ message }) => message)
  return { state, stats, clock, press, signal, said, stop, isReading: () => listener !== undefined }
}

describe("keys", () => {
  test("h, s, c and ? report, p and r pause and resume, others are ignored", () => {
    const { press, said, state } = setUp()
    press("p")
    press("R")
    expect(state.pauses).toEqual([true, false])
    for (const [key, text] of [
      ["h", "speed "],
      ["s", "seals: "],
      ["c", "no job"],
      ["?", "keys: "],
    ] as const) {
      const before = said().length
      press(key)
      expect(said().slice(before).join("\n")).toContain(text)
    }
    const before = said().length
    press("x\x1b[A")
    press("\x1b[A")
    expect(said()).toHaveLength(before)
  })

  test("r says so if another reason keeps the pause", () => {
    const { press, said, stats } = setUp()
    stats.paused(["schedule"])
    press("r")
    expect(said().at(-1)).toBe("still paused (schedule)")
  })

  test("Ctrl-C, Ctrl-Z and Ctrl-\\ keep their effect", () => {
    const { press, state } = setUp()
    press("\x03")
    press("\x1a\x1c")
    expect(state.interrupts).toEqual(["SIGINT", "SIGTSTP", "SIGQUIT"])
  })

  test("the terminal is restored at the end and while the process is stopped", () => {
    const { state, signal, stop, isReading } = setUp()
    expect(state.raw).toBe(true)
    signal("SIGTSTP")
    expect(state).toMatchObject({ raw: false, suspended: 1 })
    signal("SIGCONT")
    expect(state.raw).toBe(true)
    stop()
    expect({ raw: state.raw, reading: isReading() }).toEqual({ raw: false, reading: false })
  })

  test("nothing is read in the background, where reading would stop the process", async () => {
    const { state, clock, signal, isReading, said } = setUp({ foreground: false })
    expect({ raw: state.raw, reading: isReading(), said: said() }).toEqual({ raw: false, reading: false, said: [] })
    signal("SIGCONT")
    expect(isReading()).toBe(false)
    state.foreground = true
    await clock.advance(1000)
    expect(isReading()).toBe(true)
  })

  test("input that is no terminal is left alone", () => {
    const { state, isReading } = setUp({ isTTY: false })
    expect({ raw: state.raw, reading: isReading() }).toEqual({ raw: false, reading: false })
  })
})

test("the foreground process group is the terminal's", () => {
  expect(isForegroundIn("10 (a (b) c) S 1 10 10 34816 10 4194304 0")).toBe(true)
  expect(isForegroundIn("10 (miner) S 1 10 10 34816 22 4194304 0")).toBe(false)
  expect(isForegroundIn("10 (miner) S 1 10 10 0 -1 4194304 0")).toBe(false)
})
