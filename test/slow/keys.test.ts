/** Keys and job control of the built executable on a real terminal, under a shell. */
import { afterEach, test } from "bun:test"
import { builtExecutable } from "../support/executable.ts"

const shells: Bun.Subprocess[] = []
afterEach(() => {
  for (const shell of shells.splice(0)) shell.kill("SIGKILL")
})

/** An interactive shell on a separate terminal. */
function openShell() {
  let seen = ""
  const decoder = new TextDecoder()
  const shell = Bun.spawn(["bash", "--norc", "--noprofile", "-i"], {
    env: { PATH: process.env["PATH"]!, HOME: "/tmp", TERM: "xterm", PS1: "" },
    terminal: {
      cols: 120,
      rows: 40,
      data: (_, bytes) => {
        seen += decoder.decode(bytes, { stream: true })
      },
    },
  })
  shells.push(shell)
  return {
    type: (text: string) => shell.terminal!.write(text),
    /** Waits until the terminal has shown a text that it had not before, and forgets what came before it. */
    async shows(text: string | RegExp): Promise<void> {
      const pattern = typeof text === "string" ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : text
      for (const deadline = performance.now() + 20_000; performance.now() < deadline; await Bun.sleep(20)) {
        const found = pattern.exec(Bun.stripANSI(seen))
        if (!found) continue
        seen = Bun.stripANSI(seen).slice(found.index + found[0].length)
        return
      }
      throw new Error(`the terminal never showed ${pattern}, but:\n${Bun.stripANSI(seen).slice(-2000)}`)
    },
  }
}

const SHOWS_MODE = "stty -a | grep -o -- '-\\?icanon' | sed 's/^/mode: /'\n"

test("keys work in the foreground, and the terminal is the shell's again afterwards", async () => {
  const { type, shows } = openShell()
  type(`${builtExecutable()} demo --difficulty 1000000000000 --cpu-workers 1\n`)
  await shows("keys: h hash rate")
  await shows("connected to")
  type("p")
  await shows("paused (operator)")
  type("r")
  await shows("now mining")
  type("h")
  await shows(/\/0 [0-9.]+ [kM]?H\/s|\/0 n\/a/)
  type("c")
  await shows("reconnects: 0")
  type("\x1a")
  await shows("Stopped")
  type(SHOWS_MODE)
  await shows("mode: icanon")
  type("bg\n")
  await shows("&")
  type("echo still-$((1 + 1))-typed\n")
  await shows("still-2-typed")
  type("fg\n")
  await shows("keys: h hash rate")
  type("s")
  await shows("seals: 0 sent")
  type("\x03")
  await shows("stopped after")
  type('echo "code: $?"\n')
  await shows("code: 0")
  type(SHOWS_MODE)
  await shows("mode: icanon")
})

test("a miner that was killed leaves a terminal that the shell can use", async () => {
  const { type, shows } = openShell()
  type(`${builtExecutable()} demo --difficulty 1000000000000 --cpu-workers 1; echo "code: $?"\n`)
  await shows("keys: h hash rate")
  type("\x1c")
  await shows(/code: \d+/)
  type(SHOWS_MODE)
  await shows("mode: icanon")
})
