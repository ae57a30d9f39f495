/** The page in headless Chromium, in the sizes of a telephone and of a desktop, driven by the DevTools protocol. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Monitored, startMonitored } from "./monitored.ts"

const chromium = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome")
if (!chromium) console.log("Skipped: chromium is not installed")

/** Directory for screenshots to inspect; none are taken if absent. */
const { SCREENSHOTS } = process.env

describe.skipIf(!chromium)("the page", () => {
  let miner: Monitored
  let browser: Browser

  beforeAll(async () => {
    miner = await startMonitored()
    browser = await Browser.start(chromium!)
    // The chart starts when the first window is full.
    await Bun.sleep(11_000)
  }, 60_000)

  afterAll(async () => {
    await browser.stop()
    await miner.stop()
  })

  test.each([
    ["telephone", 360, 740, "light"],
    ["telephone", 360, 740, "dark"],
    ["desktop", 1280, 900, "light"],
    ["desktop", 1280, 900, "dark"],
  ])(
    "fits a %s (%d × %d, %s) without horizontal scrolling and shows all values",
    async (name, width, height, scheme) => {
      const page = await browser.open(`${miner.url}/`, width, height, scheme)
      await page.until(`document.querySelector("#chart .line") !== null`)
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0)
      expect(await page.text("#state")).toBe("Mining")
      expect(Number(await page.text("#rate"))).toBeWithin(0.9, 1100)
      expect(await page.text("#rate-unit")).toMatch(/^[kM]H\/s$/)
      expect(await page.text("#job")).toBe("70655")
      expect(await page.text("#sources")).toContain("quic://127.0.0.1:9833")
      expect(await page.text("#sources")).toContain("connection refused")
      expect(await page.text("#cpus")).toBe("8")
      expect(await page.evaluate(`document.querySelectorAll("#workers tr").length`)).toBe(4)
      expect(Number(await page.text("#seals"))).toBeGreaterThan(5)
      expect(await page.text("#chart-summary")).toMatch(
        /^In the last .*: lowest .*H\/s, average .*H\/s, highest .*H\/s\.$/,
      )
      if (SCREENSHOTS) await page.screenshot(join(SCREENSHOTS, `${name}-${scheme}.png`))
      expect(page.complaints).toEqual([])
      await page.close()
    },
    60_000,
  )

  test("refreshes its values", async () => {
    const page = await browser.open(`${miner.url}/`, 1280, 900, "light")
    await page.until(`Number(document.querySelector("#seals").textContent) > 0`)
    const seals = Number(await page.text("#seals"))
    await page.until(`Number(document.querySelector("#seals").textContent) > ${seals + 2}`)
    expect(page.complaints).toEqual([])
    await page.close()
  }, 60_000)

  test("is operated by keyboard: the time range and the cursor in the chart", async () => {
    const page = await browser.open(`${miner.url}/`, 1280, 900, "light")
    await page.until(`document.querySelector("#chart .line") !== null`)
    await page.evaluate(`document.querySelector("input[name=range]").focus()`)
    await page.press("ArrowRight")
    expect(await page.evaluate(`document.querySelector("input[name=range]:checked").value`)).toBe("3600")
    await page.evaluate(`document.querySelector("#cursor").focus()`)
    await page.press("ArrowLeft")
    expect(await page.text("#tip")).toMatch(/^\d\d:\d\d:\d\d .*(H\/s|n\/a)$/)
    expect(await page.evaluate(`document.querySelector("#tip").hidden`)).toBe(false)
    await page.close()
  }, 60_000)

  test("has a name for every part in the accessibility tree", async () => {
    const page = await browser.open(`${miner.url}/`, 1280, 900, "light")
    await page.until(`document.querySelector("#chart .line") !== null`)
    const nodes = await page.accessibilityTree()
    const named = (role: string) => nodes.filter(node => node.role === role).map(node => node.name)
    expect(named("heading")).toEqual([
      "quantus-miner",
      ...["Hash rate", "Seals", "Job", "Connection", "CPUs", "Workers", "Recent seals"],
    ])
    expect(named("slider")).toEqual(["Time in the chart"])
    expect(named("radio")).toEqual(["15 min", "1 h", "6 h", "24 h"])
    expect(named("region").every(name => name !== "")).toBe(true)
    expect(named("meter").every(name => name.includes("avx2/"))).toBe(true)
    await page.close()
  }, 60_000)

  test("asks for the token if the miner requires one", async () => {
    const guarded = await startMonitored({ TOKEN: "secret" })
    const page = await browser.open(`${guarded.url}/`, 360, 740, "light")
    const enter = async (token: string) => {
      await page.evaluate(`document.querySelector("#token").value = ${JSON.stringify(token)}`)
      await page.evaluate(`document.querySelector("#token-form button").click()`)
    }
    await page.until(`document.querySelector("#state").textContent === "A token is required"`)
    expect(await page.evaluate(`document.documentElement.scrollWidth - innerWidth`)).toBeLessThanOrEqual(0)
    expect(await page.evaluate(`document.querySelector("#token-form").hidden`)).toBe(false)
    await enter("guess")
    await page.until(`document.querySelector("#token").value === ""`)
    expect(await page.evaluate(`document.querySelector("#token-form").hidden`)).toBe(false)
    await enter("secret")
    await page.until(`document.querySelector("#state").textContent === "Mining"`)
    expect(await page.evaluate(`document.querySelector("#token-form").hidden`)).toBe(true)
    await page.close()
    await guarded.stop()
  }, 60_000)

  test("reports that the miner no longer answers", async () => {
    const page = await browser.open(`${miner.url}/`, 1280, 900, "light")
    await page.until(`document.querySelector("#state").textContent === "Mining"`)
    await miner.stop()
    await page.until(`document.querySelector("#state").textContent === "The miner does not answer"`)
    await page.close()
  }, 60_000)
})

/** A headless Chromium with a temporary profile. */
class Browser {
  readonly #process: Bun.Subprocess
  readonly #profile: string
  readonly #port: number

  private constructor(process: Bun.Subprocess, profile: string, port: number) {
    this.#process = process
    this.#profile = profile
    this.#port = port
  }

  static async start(path: string): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), "quantus-chromium-"))
    const quiet = ["quic", "background-networking", "component-update", "sync", "gpu"].map(what => `--disable-${what}`)
    const flags = ["--headless", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0", ...quiet]
    const process = Bun.spawn([path, ...flags, `--user-data-dir=${profile}`, "about:blank"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    })
    const portFile = join(profile, "DevToolsActivePort")
    for (;;) {
      const port = Number.parseInt(
        await Bun.file(portFile)
          .text()
          .catch(() => ""),
        10,
      )
      if (port > 0) return new Browser(process, profile, port)
      await Bun.sleep(50)
    }
  }

  async open(url: string, width: number, height: number, scheme: string): Promise<Page> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/json/new?about:blank`, { method: "PUT" })
    const { webSocketDebuggerUrl } = (await response.json()) as { webSocketDebuggerUrl: string }
    const page = await Page.connect(webSocketDebuggerUrl)
    await page.load(url, width, height, scheme)
    return page
  }

  async stop(): Promise<void> {
    this.#process.kill()
    await this.#process.exited
    rmSync(this.#profile, { recursive: true, force: true })
  }
}

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params?: object
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** One tab. */
class Page {
  /** Errors, warnings and policy violations that the browser reported. */
  readonly complaints: string[] = []
  readonly #socket: WebSocket
  readonly #pending = new Map<number, (reply: Reply) => void>()
  #sent = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)) as Reply)
  }

  static connect(url: string): Promise<Page> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url)
      socket.onopen = () => resolve(new Page(socket))
      socket.onerror = () => reject(new Error(`cannot connect to ${url}`))
    })
  }

  async load(url: string, width: number, height: number, scheme: string): Promise<void> {
    await this.#send("Log.enable")
    await this.#send("Runtime.enable")
    await this.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 2, mobile: width < 600 })
    await this.#send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] })
    await this.#send("Page.navigate", { url })
  }

  async evaluate(expression: string): Promise<unknown> {
    const reply = await this.#send<{ result: { value: unknown } }>("Runtime.evaluate", {
      expression,
      returnByValue: true,
    })
    return reply.result.value
  }

  async text(selector: string): Promise<string> {
    return String(await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`))
  }

  /** Waits until the expression holds. */
  async until(expression: string): Promise<void> {
    while ((await this.evaluate(expression)) !== true) await Bun.sleep(100)
  }

  async press(key: string): Promise<void> {
    const windowsVirtualKeyCode = { ArrowLeft: 37, ArrowRight: 39 }[key]
    for (const type of ["keyDown", "keyUp"]) {
      await this.#send("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode })
    }
  }

  async accessibilityTree(): Promise<{ readonly role: string; readonly name: string }[]> {
    type Value = { readonly value: string }
    type Node = { readonly ignored: boolean; readonly role?: Value; readonly name?: Value }
    const { nodes } = await this.#send<{ nodes: Node[] }>("Accessibility.getFullAXTree")
    const seen = nodes.filter(node => !node.ignored)
    return seen.map(({ role, name }) => ({ role: role?.value ?? "", name: name?.value ?? "" }))
  }

  async screenshot(path: string): Promise<void> {
    const options = { captureBeyondViewport: true, format: "png" }
    const { data } = await this.#send<{ data: string }>("Page.captureScreenshot", options)
    await Bun.write(path, Buffer.from(data, "base64"))
  }

  async close(): Promise<void> {
    await this.#send("Page.close")
    this.#socket.close()
  }

  async #send<T = object>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#sent
    const reply = await new Promise<Reply>(resolve => {
      this.#pending.set(id, resolve)
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
    if (reply.error) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result as T
  }

  #receive(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#pending.get(reply.id)?.(reply)
      this.#pending.delete(reply.id)
    } else if (reply.method === "Log.entryAdded" || reply.method === "Runtime.exceptionThrown") {
      this.complaints.push(JSON.stringify(reply.params))
    }
  }
}
