/** Replaces the C library that this process runs on, as a package upgrade does, then calls it from a new thread. */
import { copyFileSync, readdirSync, renameSync } from "node:fs"
import { join } from "node:path"
import { isMainThread } from "node:worker_threads"
import { threadAffinity } from "../../../src/host/linux/affinity.ts"

declare const self: Worker

if (isMainThread) {
  const directory = process.argv[2]!
  for (const file of readdirSync(directory)) {
    copyFileSync(join(directory, file), join(directory, `${file}.new`))
    renameSync(join(directory, `${file}.new`), join(directory, file))
  }
  const worker = new Worker(import.meta.url)
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify(data))
    process.exit()
  }
} else {
  const affinity = threadAffinity()
  const maps = await Bun.file("/proc/self/maps").text()
  const copies = new Set(
    maps
      .split("\n")
      .filter(line => /\/libc\.so\.6( |$)/.test(line))
      .map(line => line.split(/\s+/)[4]),
  )
  self.postMessage({ cpus: affinity?.length ?? 0, replaced: maps.includes("libc.so.6 (deleted)"), copies: copies.size })
}
