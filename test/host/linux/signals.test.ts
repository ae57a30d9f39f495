import { expect, test } from "bun:test"
import { hangupOf } from "../../../src/hangup.ts"
import { ignoresHangup } from "../../../src/host/linux/signals.ts"

const status = (mask: string) => () => `Name:\tminer\nSigBlk:\t0000000000000001\nSigIgn:\t${mask}\nSigCgt:\t0\n`

test("SIGHUP is ignored if its bit is set among the ignored signals", () => {
  expect(ignoresHangup(status("0000000000001001"))).toBe(true)
  expect(ignoresHangup(status("0000000000001000"))).toBe(false)
  expect(ignoresHangup(() => "")).toBe(false)
  expect(
    ignoresHangup(() => {
      throw new Error("no /proc")
    }),
  ).toBe(false)
})

test("the real status can be read", () => {
  const run = (prefix: string[]) => {
    const script = `console.log(require("${import.meta.dir}/../../../src/host/linux/signals.ts").ignoresHangup())`
    return Bun.spawnSync([...prefix, process.execPath, "-e", script]).stdout.toString()
  }
  expect(run([])).toBe("false\n")
  expect(run(["nohup"])).toBe("true\n")
})

test("a service reloads, even where SIGHUP was ignored; nohup ignores; everything else ends", () => {
  expect(hangupOf({ INVOCATION_ID: "1" }, () => true)).toBe("reload")
  expect(hangupOf({ NOTIFY_SOCKET: "/run/notify" }, () => false)).toBe("reload")
  expect(hangupOf({}, () => true)).toBe("ignore")
  expect(hangupOf({}, () => false)).toBe("end")
})
