import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { digestOf, loadTunings, saveTuning, tunedRenderer } from "../../../src/engines/cpu/tuned-kernels.ts"
import type { RenderedKernel } from "../../../src/kernel/x64/program/render.ts"
import { renderX64Kernel } from "../../../src/kernel/x64/x64-kernel.ts"
import { collectLog } from "../../support/collect-log.ts"
import { refusalOf } from "../../support/kernels.ts"

const directory = mkdtempSync(join(tmpdir(), "tunings-"))
afterAll(() => rmSync(directory, { recursive: true }))

const key = { cpu: "A CPU", version: "1.2.3" }
const tuning = {
  digest: "ab",
  gain: 1.03,
  schedules: { "9-00000000": { window: 80, shifts: [[1, 2, 0.5, 7]] as const } },
}

function saved(name: string): string {
  const file = join(directory, name, "schedules.json")
  saveTuning(file, key, "avx2", tuning, collectLog())
  return file
}

test("a saved tuning is loaded again, beside those of other kernels", () => {
  const file = saved("again")
  saveTuning(file, key, "avx512", { ...tuning, gain: 1.01 }, collectLog())
  const log = collectLog()
  expect(loadTunings(file, key, log)).toEqual({ avx2: tuning, avx512: { ...tuning, gain: 1.01 } })
  expect(log.texts).toEqual([])
})

test("an absent file is no tuning, without a line", () => {
  const log = collectLog()
  expect(loadTunings(join(directory, "absent.json"), key, log)).toEqual({})
  expect(log.texts).toEqual([])
})

test.each([{ cpu: "Another CPU" }, { version: "1.2.4" }])("a tuning for another key is not used: %p", other => {
  const log = collectLog()
  expect(loadTunings(saved("key"), { ...key, ...other }, log)).toEqual({})
  expect(log.texts).toEqual([
    expect.stringMatching(/^warn .* was made with a different value of (cpu|version) and is ignored: /),
  ])
})

const damages: Record<string, (text: string) => string> = {
  "a truncated file": text => text.slice(0, -20),
  "an empty file": () => "",
  "another value": () => "[]",
  "a missing key": text => text.replace('"key"', '"kee"'),
  "a window that is no number": text => text.replace("80", '"80"'),
  "a shift of another length": text => text.replace("0.5,", ""),
  "a digest that is no text": text => text.replace('"ab"', "1"),
}

test.each(Object.entries(damages))("%s is ignored with a line", (_, damage) => {
  const file = saved("damaged")
  const text = readFileSync(file, "utf8")
  expect(damage(text)).not.toBe(text)
  writeFileSync(file, damage(text))
  const log = collectLog()
  expect(loadTunings(file, key, log)).toEqual({})
  expect(log.texts).toEqual([
    expect.stringMatching(/^warn .* is damaged and is ignored: run quantus-miner tune again$/),
  ])
})

const why = refusalOf("avx2")
test.skipIf(why !== undefined)(`a kernel is rendered as it was tuned${why ? ` (skipped: ${why})` : ""}`, () => {
  const plain = renderX64Kernel("avx2")
  const id = plain.hotBlocks.toSorted((a, b) => b.instructions - a.instructions)[0]!.id
  const schedules = { ...plain.schedules, [id]: { window: 90 } }
  const digest = digestOf(renderX64Kernel("avx2", { schedules }))
  expect(digest).not.toBe(digestOf(plain))

  const log = collectLog()
  const render = tunedRenderer({ avx2: { digest, gain: 1.01, schedules } }, log)
  const rendered = render("avx2") as RenderedKernel
  expect(digestOf(rendered)).toBe(digest)
  expect(render("avx2")).toBe(rendered)
  expect(log.texts).toEqual([])

  const stale = tunedRenderer({ avx2: { digest: digestOf(plain), gain: 1.01, schedules } }, log)
  expect(digestOf(stale("avx2") as RenderedKernel)).toBe(digestOf(plain))
  expect(log.texts).toEqual([expect.stringContaining("avx2 has changed since it was tuned")])
})
