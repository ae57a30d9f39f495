/** A stand-in for NVIDIA's management library: one card whose power limit outlives the processes that set it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface StubNvml {
  /** What was set, in order, with the number of files in `stateDir` that were stored before. */
  readonly calls: () => readonly string[]
  /** Of the card, in milliwatts. */
  power: number
}

/** Watts that the card takes: 100 to 600. Its core clocks are 210 to 3105 MHz. */
const SOURCE = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <dirent.h>

static int stored(void) {
  int count = 0;
  DIR *directory = opendir(STATE);
  if (!directory) return 0;
  for (struct dirent *entry; (entry = readdir(directory));) count += !strncmp(entry->d_name, "gpu-settings", 12);
  closedir(directory);
  return count;
}
static int record(const char *what, unsigned value) {
  if (getenv("STUB_NVML_REFUSES")) return 4;
  FILE *log = fopen(LOG, "a");
  fprintf(log, "%s %u, %d stored\\n", what, value, stored());
  return fclose(log);
}
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, uint64_t *device) { *device = 7; return 0; }
int nvmlDeviceGetPowerManagementLimitConstraints(uint64_t device, unsigned *min, unsigned *max) { *min = 100000; *max = 600000; return 0; }
int nvmlDeviceGetPowerManagementLimit(uint64_t device, unsigned *value) {
  FILE *power = fopen(POWER, "r");
  int read = fscanf(power, "%u", value);
  fclose(power);
  return read == 1 ? 0 : 999;
}
int nvmlDeviceSetPowerManagementLimit(uint64_t device, unsigned value) {
  int status = record("power", value);
  if (status) return status;
  FILE *power = fopen(POWER, "w");
  fprintf(power, "%u", value);
  return fclose(power);
}
int nvmlDeviceGetSupportedMemoryClocks(uint64_t device, unsigned *count, unsigned *into) { *count = 2; into[0] = 10501; into[1] = 405; return 0; }
int nvmlDeviceGetSupportedGraphicsClocks(uint64_t device, unsigned memory, unsigned *count, unsigned *into) { *count = 2; into[0] = 3105; into[1] = 210; return 0; }
int nvmlDeviceSetGpuLockedClocks(uint64_t device, unsigned min, unsigned max) { return record("core", max); }
int nvmlDeviceResetGpuLockedClocks(uint64_t device) { return record("core", 0); }
int nvmlDeviceSetMemoryLockedClocks(uint64_t device, unsigned min, unsigned max) { return record("memory", max); }
int nvmlDeviceResetMemoryLockedClocks(uint64_t device) { return record("memory", 0); }
`

/**
 * Builds the library with the system's C compiler (`cc`).
 * @param directory on the loader's path @param stateDir of the miner
 */
export function buildStubNvml(directory: string, stateDir: string): StubNvml {
  const [source, log, power] = ["nvml.c", "nvml.log", "power"].map(name => join(directory, name)) as [
    string,
    string,
    string,
  ]
  const paths = Object.entries({ STATE: stateDir, LOG: log, POWER: power })
  writeFileSync(source, paths.map(([name, path]) => `#define ${name} ${JSON.stringify(path)}\n`).join("") + SOURCE)
  writeFileSync(power, "450000")
  const library = join(directory, "libnvidia-ml.so.1")
  const { success, stderr } = Bun.spawnSync(["cc", "-shared", "-fPIC", "-w", "-o", library, source])
  if (!success) throw new Error(`cc cannot build the stand-in: ${stderr}`)
  return {
    calls: () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []),
    get power() {
      return Number(readFileSync(power, "utf8"))
    },
    set power(milliwatts: number) {
      writeFileSync(power, String(milliwatts))
    },
  }
}
