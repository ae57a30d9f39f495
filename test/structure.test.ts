import { describe, expect, test } from "bun:test"
import { dirname, join, normalize } from "node:path"

/** What a room may import besides itself: rooms, or single files of a room. `top` is clock, environment, errors, log, version and worker-entry. */
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
  config: ["top", "host", "pausing/schedule.ts", "engines/gpu/select-devices.ts"],
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
  ],
}

/** Rooms that open no connection of any kind. */
const WITHOUT_NETWORK = ["pow", "kernel", "engines", "miner"]
const NETWORK = /^node:(net|dgram|tls|https?|http2|quic|dns)(\/|$)/

/** Rooms that do with the runtime alone; the others' packages are in `docs/dependencies.md`. */
const WITHOUT_PACKAGES = ["pow", "kernel", "host", "engines", "miner"]

interface Import {
  readonly file: string
  readonly room: string
  /** A path under `src`, or a module's name. */
  readonly target: string
  readonly relative: boolean
}

const src = join(import.meta.dir, "../src")
const texts = new Map<string, string>()
for (const file of new Bun.Glob("**/*.ts").scanSync(src)) texts.set(file, await Bun.file(join(src, file)).text())

const roomOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "top")

const imports: Import[] = [...texts].flatMap(([file, text]) =>
  [...text.matchAll(/(?:\bfrom|^import|\bimport\()\s*"([^"]+)"/gm)].map(([, name]) => {
    const relative = name!.startsWith(".")
    return { file, room: roomOf(file), target: relative ? normalize(join(dirname(file), name!)) : name!, relative }
  }),
)

const show = ({ file, target }: Import): string => `${file} → ${target}`

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
      const wrong = imports.filter(({ room: from, target, relative }) => {
        if (from !== room || !relative) return false
        const to = roomOf(target)
        return to !== room && !allowed.includes(to) && !allowed.includes(target)
      })
      expect(wrong.map(show)).toEqual([])
    })
  }
})

test("no imports go in a circle", () => {
  const circles: string[] = []
  const done = new Set<string>()
  const follow = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "))
    if (done.has(file)) return
    done.add(file)
    for (const { target } of imports.filter(one => one.file === file && one.relative)) follow(target, [...path, file])
  }
  for (const file of texts.keys()) follow(file, [])
  expect(circles).toEqual([])
})

test("nothing that hashes knows a network", () => {
  const wrong = imports.filter(({ room, target }) => WITHOUT_NETWORK.includes(room) && NETWORK.test(target))
  expect(wrong.map(show)).toEqual([])
})

test("HTTP is served in one room", () => {
  const serving = [...texts].filter(([, text]) => /\bBun\.serve\(|"node:https?"/.test(text)).map(([file]) => file)
  expect(serving).toEqual(["http/server.ts"])
})

test("packages come in at the rim only", () => {
  const wrong = imports.filter(({ room, target, relative }) => {
    return WITHOUT_PACKAGES.includes(room) && !relative && !/^(node|bun):/.test(target)
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
  const wrong = imports.filter(({ file, target }) => {
    const [from, to] = [
      dirname(file).split("/").slice(0, 2).join("/"),
      dirname(target).split("/").slice(0, 2).join("/"),
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
  const wrong = imports.filter(({ file, target }) => {
    const [, room] = system.exec(target) ?? []
    return room !== undefined && !file.startsWith(`host/${room}/`) && file !== "host/host.ts"
  })
  expect(wrong.map(show)).toEqual([])
})
