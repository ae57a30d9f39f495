// Shows /api/snapshot and /api/history and refreshes them. External text is only inserted as text nodes.

import type { RateSeries } from "../history.ts"
import type { HostSnapshot, Json, UnitSnapshot } from "../snapshot.ts"

type Shown = Json<HostSnapshot>
type ShownUnit = Json<UnitSnapshot>

const SNAPSHOT_EVERY_MS = 2000
const HISTORY_EVERY_MS = 5000
const MAX_WORKERS = 16
const MAX_RECENT = 8
const GOOD = ["sent", "accepted"]

const element = (id: string) => document.getElementById(id)!
const cursorInput = element("cursor") as HTMLInputElement
let snapshot: Shown | undefined
let series: RateSeries = { stepSeconds: 5, rates: [] }
let seriesAt = 0
/** Index of the point that the cursor marks. */
let cursor: number | undefined
let allWorkers = false

// Formatting numbers ---------------------------------------------------------------------------------------

function scaled(value: number) {
  const prefixes = ["", "k", "M", "G", "T", "P", "E"]
  let prefix = 0
  while (prefix < prefixes.length - 1 && value / 1000 ** prefix >= 999.95) prefix++
  return { prefix: prefixes[prefix]!, divisor: 1000 ** prefix }
}

function digits(value: number): string {
  return value.toFixed(value >= 99.995 ? 1 : value >= 9.9995 ? 2 : 3)
}

function count(value: number): string {
  const { prefix, divisor } = scaled(value)
  return divisor === 1 ? String(Math.round(value)) : `${digits(value / divisor)} ${prefix}`
}

function rateParts(rate: number | null | undefined): readonly [value: string, unit: string] {
  if (rate == null) return ["n/a", ""]
  const { prefix, divisor } = scaled(rate)
  return [divisor === 1 ? String(Math.round(rate)) : digits(rate / divisor), `${prefix}H/s`]
}

const rateText = (rate: number | null | undefined) => rateParts(rate).join(" ").trim()

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`
}

// Building the document ---------------------------------------------------------------------------------------------

type Content = string | Node | readonly (string | Node)[]
type Attributes = Readonly<Record<string, string | number>>

function make(tag: string, content: Content, attributes: Attributes = {}): HTMLElement {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value))
  node.append(...[content].flat())
  return node
}

function put(id: string, text: string): void {
  const node = element(id)
  if (node.textContent !== text) node.textContent = text
}

/** Fills a description list; rows without a value are omitted. */
function describe(id: string, rows: readonly (readonly [term: string, value: string | number | undefined])[]): void {
  const items = rows.flatMap(([term, value]) => {
    if (value === undefined || value === "") return []
    return make("div", [make("dt", term), make("dd", String(value), { title: value })])
  })
  element(id).replaceChildren(...items)
}

const capitalized = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)

function show(now: Shown): void {
  const ready = now.notReady === undefined
  const paused = now.pauses.length > 0
  put("state", capitalized(now.notReady ?? (paused ? `paused (${now.pauses.join(", ")})` : "mining")))
  const up = now.sources.some(source => source.up)
  element("state").className = `pill ${paused ? "" : ready ? "good" : up ? "" : "bad"}`
  put("host", [now.name, now.engines.join(" + ")].filter(Boolean).join(" · "))
  put("about", `quantus-miner ${now.version} · running for ${duration(now.uptimeSeconds)}`)
  document.title = `${rateText(now.rates.tenSeconds)} · ${now.name}`

  const [rate, unit] = rateParts(now.rates.tenSeconds)
  put("rate", rate)
  put("rate-unit", unit)
  put("rate-minute", rateText(now.rates.minute))
  put("rate-quarter", rateText(now.rates.quarterHour))
  put("rate-highest", rateText(now.rates.highest))

  showSeals(now)
  showJob(now)
  showSources(now)
  showCpus(now)
  showWorkers(now)
  showRecent(now)
}

/** The text `12 % chance of so few`; undefined while the expectation is too small to tell. */
function chance({
  found,
  expected,
  probabilityOfSoFew,
  probabilityOfSoMany,
}: Shown["expectation"]): string | undefined {
  if (expected < 1) return undefined
  const few = found < expected
  const probability = few ? probabilityOfSoFew : probabilityOfSoMany
  const percent = probability < 0.001 ? "under 0.1" : (100 * probability).toPrecision(2)
  return `${percent} % chance of this many or ${few ? "fewer" : "more"}`
}

function showSeals({ seals, expectedSeals, expectation, mismatches }: Shown): void {
  const good = seals.sent + seals.accepted
  put("seals", String(good))
  const luck = expectedSeals >= 1 ? `${Math.round((good / expectedSeals) * 100)} %` : undefined
  describe("seals-detail", [
    ["Expected", expectedSeals > 0 ? expectedSeals.toPrecision(3) : undefined],
    ["Luck", luck],
    ["By chance", chance(expectation)],
    ["Rejected", seals.rejected || undefined],
    ["Stale", seals.stale || undefined],
    ["Lost", seals.lost || undefined],
    ["Mismatched candidates", mismatches || undefined],
  ])
}

function showJob({ job, jobs, expectation: { secondsPerSeal } }: Shown): void {
  put("job", job ? job.id : "None")
  const difficulty = Number(job?.difficulty)
  describe("job-detail", [
    ["Difficulty", job && count(difficulty)],
    ["Age", job && duration(job.ageSeconds)],
    ["Per seal", secondsPerSeal === undefined ? undefined : `about ${duration(secondsPerSeal)}`],
    ["Header", job && `${job.header.slice(0, 8)}…${job.header.slice(-8)}`],
    ["Jobs", jobs.completed + jobs.failed + jobs.cancelled + (job ? 1 : 0)],
  ])
}

function showSources({ sources }: Shown): void {
  const items = sources.map(source => {
    const lost = Object.values(source.reconnects).reduce((sum, times) => sum + times, 0)
    const since = source.sinceSeconds === undefined ? "no attempt yet" : `for ${duration(source.sinceSeconds)}`
    const lines = [
      `${source.up ? "Connected" : "Down"} ${since}${source.active && sources.length > 1 ? ", active" : ""}`,
      ...(lost ? [`${lost} reconnect${lost === 1 ? "" : "s"}`] : []),
      ...(source.problem ? [source.problem] : []),
    ]
    const parts = [make("strong", source.name), ...lines.map(line => make("small", line))]
    return make("li", parts, source.up ? { class: "up" } : {})
  })
  element("sources").replaceChildren(...(items.length ? items : [make("li", make("small", "No source yet"))]))
}

function showCpus({ cpus, units, cpuPowerWatts, hashesPerJoule }: Shown): void {
  put("cpus", cpus ? String(cpus.count) : "–")
  const workers = units.filter(unit => unit.kind === "cpu").length
  describe("cpus-detail", [
    ["Limited by", cpus?.decidedBy],
    ["Cpuset", cpus?.mask],
    ["CPU workers", workers],
    ["GPU devices", units.length - workers || undefined],
    ["CPU power", cpuPowerWatts === undefined ? undefined : `${cpuPowerWatts.toFixed(0)} W`],
    ["Per watt", hashesPerJoule === undefined ? undefined : rateText(hashesPerJoule)],
  ])
}

/** Columns that are omitted if no unit has a value; `minor` ones are hidden on narrow screens. */
const COLUMNS: readonly (readonly [
  name: string,
  read: (unit: ShownUnit) => string | number | undefined,
  kind?: "minor",
])[] = [
  ["CPU", unit => unit.cpu, "minor"],
  ["°C", unit => unit.temperatureCelsius?.toFixed(0)],
  ["Fan", unit => unit.fanPercent && `${unit.fanPercent.toFixed(0)} %`, "minor"],
  ["Power", unit => unit.powerWatts && `${unit.powerWatts.toFixed(0)} W`],
  ["Per watt", unit => unit.hashesPerJoule && rateText(unit.hashesPerJoule), "minor"],
  ["Hashes", unit => count(Number(unit.hashes)), "minor"],
  ["Seals", unit => unit.seals],
  ["Restarts", unit => unit.restarts || undefined],
]

function showWorkers({ units }: Shown): void {
  const columns = COLUMNS.filter(([, read]) => units.some(unit => read(unit) !== undefined))
  const highest = Math.max(1, ...units.map(unit => unit.rates.tenSeconds ?? 0))
  const column = (name: string, kind = "") => make("th", name, { scope: "col", class: kind })
  const heads = columns.map(([name, , kind]) => column(name, kind))
  const bar = make("td", [], { class: "bar" })
  element("workers-head").replaceChildren(
    make("tr", units.length ? [column("Worker"), bar, column("Rate"), ...heads] : []),
  )

  const shown = allWorkers ? units : units.slice(0, MAX_WORKERS)
  const rows = shown.map(unit => {
    const name = make("th", [unit.id, ...(unit.name ? [make("small", unit.name, { class: "model" })] : [])], {
      scope: "row",
    })
    const rate = unit.rates.tenSeconds
    const share = make("meter", [], {
      value: (rate ?? 0) / highest,
      "aria-label": `${unit.id} relative to the fastest`,
    })
    const cells = columns.map(([, read, kind = ""]) => make("td", String(read(unit) ?? ""), { class: kind }))
    return make("tr", [name, make("td", share, { class: "bar" }), make("td", rateText(rate)), ...cells])
  })
  element("workers").replaceChildren(...rows)
  element("workers-empty").hidden = units.length > 0
  element("workers-all").hidden = units.length <= MAX_WORKERS
  put("workers-all", allWorkers ? "Show fewer" : `Show all ${units.length}`)
}

function showRecent({ recentSeals }: Shown): void {
  const items = recentSeals.slice(0, MAX_RECENT).map(seal => {
    const good = GOOD.includes(seal.result)
    const result = make("strong", capitalized(seal.result), { class: good ? "good" : "bad" })
    const what = `job ${seal.job} at difficulty ${count(Number(seal.difficulty))}, by ${seal.unit}`
    const reason = seal.reason ? `, ${seal.reason}` : ""
    return make("li", [result, make("small", what + reason), make("small", `${duration(seal.agoSeconds)} ago`)])
  })
  element("recent").replaceChildren(...items)
  element("recent-empty").hidden = items.length > 0
}

// The chart ---------------------------------------------------------------------------------------------------------

const MARGIN = { top: 10, right: 4, bottom: 24, left: 4 }

function shape(tag: string, attributes: Attributes, text?: string): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value))
  if (text !== undefined) node.textContent = text
  return node
}

/** The selected time range in seconds. */
const range = () => Number(document.querySelector<HTMLInputElement>("input[name=range]:checked")!.value)

/** Seconds across the chart: at most the uptime, so that the chart of a new miner is not mostly empty. */
const span = () => Math.min(range(), Math.max(300, (series.rates.length - 1) * series.stepSeconds))

/** Maps seconds before now to x and rates to y, in pixels. */
function scales() {
  const { clientWidth: width, clientHeight: height } = element("chart")
  const known = series.rates.filter(rate => rate !== null)
  const step = niceStep(Math.max(1, ...known) / 3)
  const top = step * Math.max(1, Math.ceil((Math.max(1, ...known) * 1.02) / step))
  const x = (ago: number) => MARGIN.left + (1 - ago / span()) * (width - MARGIN.left - MARGIN.right)
  const y = (rate: number) => height - MARGIN.bottom - (rate / top) * (height - MARGIN.top - MARGIN.bottom)
  return { width, height, known, step, top, x, y }
}

/** 1, 2, 2.5 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= least)!
}

/** Seconds before now of a point. */
const agoOf = (point: number) => (series.rates.length - 1 - point) * series.stepSeconds

function drawChart(): void {
  const { width, height, known, step, top, x, y } = scales()
  const chart = element("chart")
  const parts: SVGElement[] = []
  for (let rate = step; rate <= top * 1.001; rate += step) {
    parts.push(shape("line", { class: "grid", x1: 0, x2: width, y1: y(rate), y2: y(rate) }))
  }
  parts.push(shape("line", { class: "grid", x1: 0, x2: width, y1: y(0), y2: y(0) }))
  for (const run of runs()) {
    const points = run.map(([point, rate]) => `${x(agoOf(point)).toFixed(1)},${y(rate).toFixed(1)}`)
    const [first, last] = [x(agoOf(run[0]![0])), x(agoOf(run.at(-1)![0]))]
    parts.push(shape("path", { class: "area", d: `M${first},${y(0)}L${points.join("L")}L${last},${y(0)}Z` }))
    parts.push(shape("path", { class: "line", d: `M${points.join("L")}` }))
  }
  for (let rate = step; rate <= top * 1.001; rate += step) {
    parts.push(shape("text", { class: "tick", x: 4, y: y(rate) + 14 }, tidy(rate)))
  }
  for (const [ago, label] of timeTicks(width)) {
    const anchor = x(ago) < 30 ? "start" : x(ago) > width - 30 ? "end" : "middle"
    parts.push(shape("text", { class: "tick", x: x(ago), y: height - 6, "text-anchor": anchor }, label))
  }
  let last = Number.POSITIVE_INFINITY
  for (const seal of snapshot?.recentSeals ?? []) {
    const point = series.rates.length - 1 - Math.round(seal.agoSeconds / series.stepSeconds)
    const cx = x(seal.agoSeconds)
    // Skip seals whose circles would overlap.
    const rate = series.rates[point] ?? null
    if (!GOOD.includes(seal.result) || rate === null || cx < 0 || last - cx < 8) continue
    parts.push(shape("circle", { class: "seal", cx, cy: y(rate), r: 3.5 }))
    last = cx
  }
  parts.push(...cursorShapes(height, x, y))
  cursorInput.max = String(series.rates.length - 1)
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`)
  chart.replaceChildren(...(known.length ? parts : []))
  element("chart-empty").hidden = known.length > 0
  const time = `the last ${duration(Math.min(range(), series.rates.length * series.stepSeconds))}`
  const average = known.reduce((sum, rate) => sum + rate, 0) / known.length
  const summary = `In ${time}: lowest ${rateText(Math.min(...known))}, average ${rateText(average)}, highest ${rateText(Math.max(...known))}.`
  put("chart-summary", known.length ? summary : "No data yet.")
}

/** Runs of consecutive points with a known rate. */
function runs(): [point: number, rate: number][][] {
  const found: [point: number, rate: number][][] = []
  series.rates.forEach((rate, point) => {
    if (rate === null) return
    const run = found.at(-1)
    if (run?.at(-1)?.[0] === point - 1) run.push([point, rate])
    else found.push([[point, rate]])
  })
  return found
}

/** A round rate without trailing zeros. */
function tidy(rate: number): string {
  const { prefix, divisor } = scaled(rate)
  return `${Number((rate / divisor).toPrecision(3))} ${prefix}H/s`
}

/** Labels at whole minutes or hours, as far as the width allows. */
function timeTicks(width: number): [ago: number, label: string][] {
  const steps = [60, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600]
  const step = steps.find(seconds => span() / seconds <= Math.max(2, width / 110)) ?? 21600
  const now = new Date(seriesAt)
  const sinceMidnight = now.getHours() * 3600 + now.getMinutes() * 60 + now.getSeconds()
  const ticks: [ago: number, label: string][] = []
  for (let ago = sinceMidnight % step; ago <= span(); ago += step) ticks.push([ago, clock(ago)])
  return ticks
}

function clock(ago: number, seconds = false): string {
  const options: Intl.DateTimeFormatOptions = {
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds && { second: "2-digit" }),
    hourCycle: "h23",
  }
  return new Date(seriesAt - ago * 1000).toLocaleTimeString([], options)
}

function cursorShapes(height: number, x: (ago: number) => number, y: (rate: number) => number): SVGElement[] {
  const tip = element("tip")
  const rate = cursor === undefined ? undefined : series.rates[cursor]
  tip.hidden = rate === undefined
  if (cursor === undefined || rate === undefined) return []
  const at = x(agoOf(cursor))
  tip.textContent = `${clock(agoOf(cursor), true)}  ${rateText(rate)}`
  cursorInput.setAttribute("aria-valuetext", tip.textContent)
  const left = Math.min(Math.max(0, at - tip.offsetWidth / 2), element("chart").clientWidth - tip.offsetWidth)
  tip.style.transform = `translate(${left}px, -0.25rem)`
  const line = shape("line", { class: "cursor", x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom })
  return rate === null ? [line] : [line, shape("circle", { class: "point", cx: at, cy: y(rate), r: 4 })]
}

function pointAt(event: PointerEvent): number {
  const { left, width } = element("chart").getBoundingClientRect()
  const ago = (1 - (event.clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * span()
  return series.rates.length - 1 - Math.round(ago / series.stepSeconds)
}

function moveCursor(to: number | undefined): void {
  cursor = to === undefined ? undefined : Math.min(Math.max(0, to), series.rates.length - 1)
  drawChart()
}

element("chart").addEventListener("pointermove", event => moveCursor(pointAt(event)))
element("chart").addEventListener("pointerleave", () => moveCursor(undefined))
cursorInput.addEventListener("focus", () => {
  cursorInput.value = cursorInput.max
  moveCursor(series.rates.length - 1)
})
cursorInput.addEventListener("input", () => moveCursor(Number(cursorInput.value)))
cursorInput.addEventListener("blur", () => moveCursor(undefined))
element("range").addEventListener("change", () => void refreshHistory())
element("workers-all").addEventListener("click", () => {
  allWorkers = !allWorkers
  if (snapshot) showWorkers(snapshot)
})
new ResizeObserver(drawChart).observe(element("chart"))

// Refreshing --------------------------------------------------------------------------------------------------------

/** The miner requires a token, or another one. */
class Unauthorized extends Error {}

/** Key of the token in the tab's storage, which ends with the tab. */
const TOKEN = "token"
const tokenForm = element("token-form") as HTMLFormElement
const tokenInput = element("token") as HTMLInputElement

async function get<T>(path: string): Promise<T> {
  const token = sessionStorage.getItem(TOKEN)
  const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` }
  const response = await fetch(path, { headers, signal: AbortSignal.timeout(5000) })
  if (response.status === 401) throw new Unauthorized()
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return (await response.json()) as T
}

async function refreshSnapshot(): Promise<void> {
  try {
    snapshot = await get<Shown>("/api/snapshot")
    show(snapshot)
    tokenForm.hidden = true
  } catch (error) {
    tokenForm.hidden = !(error instanceof Unauthorized)
    put("state", tokenForm.hidden ? "The miner does not answer" : "A token is required")
    element("state").className = "pill bad"
  }
}

async function refreshHistory(): Promise<void> {
  try {
    const asked = range()
    const next = await get<RateSeries>(`/api/history?seconds=${asked}`)
    if (asked !== range()) return
    const ago = cursor === undefined ? undefined : agoOf(cursor)
    series = next
    seriesAt = Date.now()
    moveCursor(ago === undefined ? undefined : series.rates.length - 1 - Math.round(ago / series.stepSeconds))
  } catch {
    // The state already reports that the miner does not answer; keep the chart.
  }
}

/** Calls repeatedly, one call at a time; pauses while the page is hidden. */
async function keep(refresh: () => Promise<void>, everyMs: number): Promise<void> {
  for (;;) {
    if (!document.hidden) await refresh()
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}

tokenForm.addEventListener("submit", event => {
  event.preventDefault()
  sessionStorage.setItem(TOKEN, tokenInput.value.trim())
  tokenInput.value = ""
  void refreshSnapshot().then(refreshHistory)
})
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refreshSnapshot().then(refreshHistory)
})
void keep(refreshSnapshot, SNAPSHOT_EVERY_MS)
void keep(refreshHistory, HISTORY_EVERY_MS)
