/** NVML's thread with cards that answer, and one that hangs for 300 ms at each question. */
import { serveNvml } from "../../src/host/nvml/serve.ts"

serveNvml({
  async read(pci) {
    if (pci === "hangs") Bun.sleepSync(300)
    return { temperatureCelsius: 40 + pci.length }
  },
  close() {},
})
