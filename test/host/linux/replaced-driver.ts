/** Opens a driver's library, replaces its file as a package upgrade does, and calls it from a new thread. */
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isMainThread } from "node:worker_threads"
import { openLibrary } from "../../../src/host/linux/libraries.ts"

declare const self: Worker

const open = () => openLibrary("libdriver.so.1", { floor: { args: ["f64"], returns: "f64" } })

if (isMainThread) {
  const path = join(process.argv[2]!, "libdriver.so.1")
  open().symbols.floor(1.5)
  writeFileSync(`${path}.new`, "not a library that this process can load")
  renameSync(`${path}.new`, path)
  const worker = new Worker(import.meta.url)
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify(data))
    process.exit()
  }
} else {
  const maps = await Bun.file("/proc/self/maps").text()
  self.postMessage({ rounded: open().symbols.floor(3.7), replaced: maps.includes("libdriver.so.1 (deleted)") })
}
