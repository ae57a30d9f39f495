import { describe, expect, test } from "bun:test"
import { dirname, join, normalize } from "node:path"

/** What a room may import besides itself: rooms, or single files of a room. `top` is the files of `TOP`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  pow: [],
  kernel: ["pow", "host/host.ts"],
  host: ["top"],
  sources: ["top", "pow", "http"],
  http: ["top"],
  engines: ["top", "pow", "kernel", "host", "sources/source.ts"],
  observe: ["top", "http", "engines/engine.ts", "miner/events.ts", "miner/pauses.ts", "sources/source.ts", "host"],
  miner: ["top", "pow", "engines/engine.ts", "engines/sequence.ts", "sources/source.ts"],
  pausing: ["top", "miner/pauses.ts"],
  devnode: ["top", "pow", "sources", "host"],
  config: ["top", "host", "http/server.ts", "pausing/schedule.ts", "engines/gpu/select-devices.ts"],
  commands: [
    "top",
    "pow",
    "kernel",
    "host",
    "sources",
    "engines",
    "observe",
    "miner",
    "devnode",
    "config",
    "http",
    "pausing",
    "early-signals.ts",
    "failure.ts",
    "hangup.ts",
  ],
}

/** Files above the rooms that every room but `pow` and `kernel` may import. */
const TOP = ["clock.ts", "environment.ts", "errors.ts", "log.ts", "version.ts", "worker-entry.ts"]

/** Rooms that open no connection of any kind. */
const WITHOUT_NETWORK = ["pow", "kernel", "engines", "miner"]
const NETWORK = /^node:(net|dgram|tls|https?|http2|quic|dns)(\/|$)/

/** Rooms that do with the runtime alone; the others' packages are in `docs/dependencies.md`. */
const WITHOUT_PACKAGES = ["pow", "kernel", "host", "engines", "miner"]

interface Import {
  readonly file: string
  readonly room: string
  /** A path under `src`, or a module's name. */
  readonly imported: string
  readonly relative: boolean
}

const src = join(import.meta.dir, "../src")
const texts = new Map<string, string>()
for (const file of new Bun.Glob("**/*.ts").scanSync(src)) texts.set(file, await Bun.file(join(src, file)).text())

const roomOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "top")

const imports: Import[] = [...texts].flatMap(([file, text]) =>
  [...text.matchAll(/(?:\bfrom|^import|\bimport\()\s*"([^"]+)"/gm)].map(([, name]) => {
    const relative = name!.startsWith(".")
    return { file, room: roomOf(file), imported: relative ? normalize(join(dirname(file), name!)) : name!, relative }
  }),
)

const show = ({ file, imported }: Import): string => `${file} → ${imported}`

test("the scan sees the imports that are there", () => {
  expect(imports.map(show)).toContain("engines/cpu/worker.ts → engines/cpu/kernels.ts")
  expect(imports.length).toBeGreaterThan(texts.size)
})

test("every room has its rule", () => {
  const rooms = new Set([...texts.keys()].map(roomOf))
  rooms.delete("top")
  expect([...rooms].filter(room => !(room in MAY_IMPORT))).toEqual([])
})

describe("imports point down", () => {
  for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
    test(room, () => {
      const wrong = imports.filter(({ room: from, imported, relative }) => {
        if (from !== room || !relative) return false
        const to = roomOf(imported)
        const isOpen = to === "top" ? TOP.includes(imported) && allowed.includes("top") : allowed.includes(to)
        return to !== room && !isOpen && !allowed.includes(imported)
      })
      expect(wrong.map(show)).toEqual([])
    })
  }
})

test("docs/architecture.md states the same imports", async () => {
  const text = await Bun.file(join(src, "../docs/architecture.md")).text()
  for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
    const row = text.split("\n").find(line => line.startsWith(`| \`src/${room}/\``))
    const stated = row?.split("|").at(-2)?.replaceAll("`", "").trim()
    expect(stated).toBe(allowed.join(", ") || "—")
  }
})

test("no imports go in a circle", () => {
  const circles: string[] = []
  const done = new Set<string>()
  const follow = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "))
    if (done.has(file)) return
    done.add(file)
    for (const { imported } of imports.filter(one => one.file === file && one.relative))
      follow(imported, [...path, file])
  }
  for (const file of texts.keys()) follow(file, [])
  expect(circles).toEqual([])
})

test("nothing that hashes knows a network", () => {
  const wrong = imports.filter(({ room, imported }) => WITHOUT_NETWORK.includes(room) && NETWORK.test(imported))
  expect(wrong.map(show)).toEqual([])
})

test("HTTP is served in one room", () => {
  const serving = [...texts].filter(([, text]) => /\bBun\.serve\(|"node:https?"/.test(text)).map(([file]) => file)
  expect(serving).toEqual(["http/server.ts"])
})

test("packages come in at the rim only", () => {
  const wrong = imports.filter(({ room, imported, relative }) => {
    return WITHOUT_PACKAGES.includes(room) && !relative && !/^(node|bun):/.test(imported)
  })
  expect(wrong.map(show)).toEqual([])
})

/** Rooms of `engines`, and the rooms of `engines` that each may import. */
const ENGINE_ROOMS: Readonly<Record<string, readonly string[]>> = {
  "engines/threads": [],
  "engines/cpu": ["engines/threads"],
  "engines/gpu": ["engines/threads"],
}

test("CPU and GPU engines share threads and do not know each other", () => {
  const isRoom = (room: string) => room in ENGINE_ROOMS
  const wrong = imports.filter(({ file, imported }) => {
    const [from, to] = [
      dirname(file).split("/").slice(0, 2).join("/"),
      dirname(imported).split("/").slice(0, 2).join("/"),
    ]
    return isRoom(from) && isRoom(to) && from !== to && !ENGINE_ROOMS[from]!.includes(to)
  })
  expect(wrong.map(show)).toEqual([])
})

test("shared memory is touched in two files", () => {
  const touching = [...texts].filter(([, text]) => /\bAtomics\.|new SharedArrayBuffer/.test(text)).map(([file]) => file)
  expect(touching.sort()).toEqual(["engines/threads/shared-memory.ts", "engines/threads/slot.ts"])
})

test("a system's room is used by the host's choice only", () => {
  const system = /^host\/(linux|darwin|windows)\//
  const wrong = imports.filter(({ file, imported }) => {
    const [, room] = system.exec(imported) ?? []
    return room !== undefined && !file.startsWith(`host/${room}/`) && file !== "host/host.ts"
  })
  expect(wrong.map(show)).toEqual([])
})

/** Terms of the glossary as type names: `batch` is `Batch`, `core model` is `CoreModel`. */
async function glossaryTypes(): Promise<Set<string>> {
  const text = await Bun.file(join(src, "../docs/glossary.md")).text()
  const terms = [...text.matchAll(/^\| \*\*([^*]+)\*\* \|/gm)].map(([, term]) => term!)
  return new Set(terms.map(term => term.replace(/(^|\s)(\w)/g, (_, _space, letter) => letter.toUpperCase())))
}

test("an exported type that bears a term of the glossary is declared once", async () => {
  const terms = await glossaryTypes()
  expect(terms.size).toBeGreaterThan(30)
  const declared = new Map<string, string[]>()
  for (const [file, text] of texts)
    for (const [, name] of text.matchAll(/^export (?:abstract )?(?:class|interface|type) (\w+)/gm))
      if (terms.has(name!)) declared.set(name!, [...(declared.get(name!) ?? []), file])
  expect(declared.get("Job")).toEqual(["sources/source.ts"])
  expect([...declared].filter(([, files]) => files.length > 1)).toEqual([])
})

test("x86-64 kernels have one entry, and everything else is in a room", () => {
  expect([...texts.keys()].filter(file => dirname(file) === "kernel/x64")).toEqual(["kernel/x64/x64-kernel.ts"])
})

test("private members are #private, and maxima are MAX_", () => {
  const wrong = [...texts].flatMap(([file, text]) =>
    [...text.matchAll(/\bprivate (?:readonly )?\w+\s*[:(=]|\bMOST_\w+|\b\w*LIMIT_MS\b/g)].map(
      ([found]) => `${file}: ${found}`,
    ),
  )
  expect(wrong).toEqual([])
})

/** Turns of phrase that a reader must read twice; `CONTRIBUTING.md` asks for plain technical English. */
const UNCLEAR =
  /\b(so many|so much behind|(is|are) (not )?told|goes on|(?<!there )(is|are) none|of (its|their) own|where there (is|are) (none|no))\b/i

test("texts avoid unclear turns of phrase", async () => {
  const root = join(src, "..")
  const files = [
    ...new Bun.Glob(
      "{src,docs,scripts,systemd,deploy,examples,test}/**/*.{ts,md,sh,css,html,yaml,yml,json,service,conf}",
    ).scanSync(root),
    ".ci/run",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
  ]
  const wrong: string[] = []
  for (const file of files.filter(file => !file.endsWith("structure.test.ts"))) {
    const lines = (await Bun.file(join(root, file)).text()).split("\n")
    for (const [i, line] of lines.entries()) if (UNCLEAR.test(line)) wrong.push(`${file}:${i + 1}: ${line.trim()}`)
  }
  expect(files.length).toBeGreaterThan(300)
  expect(wrong).toEqual([])
})

test("log lines and errors for operators begin in lower case and end without a period", () => {
  const wrong = [...texts].flatMap(([file, text]) =>
    [...text.matchAll(/(?:new OperatorError|\blog\.(?:debug|info|warn|error|success))\(\s*([`"])((?:(?!\1).)*)\1/g)]
      .filter(([, , message]) => /^[A-Z][a-z]+ |[a-z)}]\.$/.test(message!))
      .map(([, , message]) => `${file}: ${message}`),
  )
  expect(wrong).toEqual([])
})

/** Rooms of `kernel`, and the rooms of `kernel` that each may import; files of the room itself are free. */
const KERNEL_ROOMS: Readonly<Record<string, readonly string[]>> = {
  compiler: [],
  limbs: [],
  native: ["compiler"],
  wasm: [],
  ptx: ["limbs"],
  opencl: ["limbs"],
  x64: ["compiler", "native"],
  arm64: ["compiler", "native"],
}

test("renderers share neutral rooms and do not know each other", () => {
  const kernelRoom = (path: string) => /^kernel\/(\w+)\//.exec(path)?.[1]
  const rooms = new Set([...texts.keys()].map(kernelRoom).filter(room => room !== undefined))
  expect([...rooms].sort()).toEqual(Object.keys(KERNEL_ROOMS).sort())
  const wrong = imports.filter(({ file, imported, relative }) => {
    const [from, to] = [kernelRoom(file), relative ? kernelRoom(imported) : undefined]
    return from !== undefined && to !== undefined && from !== to && !KERNEL_ROOMS[from]!.includes(to)
  })
  expect(wrong.map(show)).toEqual([])
})
