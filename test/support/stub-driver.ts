/** Stand-ins for a GPU driver's library that list one GPU and fail where a test selects. */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CUDA_FUNCTIONS } from "../../src/engines/gpu/cuda/api.ts"
import { OPENCL_FUNCTIONS } from "../../src/engines/gpu/opencl/api.ts"

/** Where the library fails: when it is loaded, when it lists its devices, or when it compiles. */
export type Moment = "load" | "list" | "compile"
export type Api = "cuda" | "opencl"
export type Failure = "hang" | "abort" | "segfault"

export interface StubDriver {
  /** For the environment of a miner: the loader finds this library before any other. */
  readonly env: Readonly<Record<string, string>>
  remove(): void
}

const FAILURES: Readonly<Record<Failure, string>> = {
  hang: "for (;;) pause();",
  abort: "abort();",
  segfault: "*(volatile int *)0 = 0;",
}

const HEAD = `#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <stdio.h>
`

/** The functions of a table that `text` does not define, which only return success. */
const silent = (table: object, text: string): string =>
  Object.keys(table)
    .filter(name => !text.includes(` ${name}(`))
    .map(name => `int ${name}(void) { return 0; }\n`)
    .join("")

const OPENCL = `
static void text(const char *value, size_t size, void *into) { if (into) snprintf(into, size, "%s", value); }
int clGetPlatformIDs(uint32_t n, uint64_t *ids, uint32_t *count) { LIST; if (ids) ids[0] = 1; if (count) *count = 1; return 0; }
int clGetPlatformInfo(uint64_t p, uint32_t what, size_t size, void *into, void *used) { text("Stub Platform", size, into); return 0; }
int clGetDeviceIDs(uint64_t p, uint64_t type, uint32_t n, uint64_t *ids, uint32_t *count) { if (ids) ids[0] = 2; if (count) *count = 1; return 0; }
int clGetDeviceInfo(uint64_t d, uint32_t what, size_t size, void *into, void *used) {
  if (what == 0x102b) { text("Stub GPU", size, into); return 0; }
  if (what == 0x102f || what == 0x103d) { text("OpenCL 1.2", size, into); return 0; }
  if (what == 0x102d) { text("1.0", size, into); return 0; }
  if (what == 0x1030) { text("cl_khr_device_uuid", size, into); return 0; }
  if (what == 0x106a) { memcpy(into, UUID, 16); return 0; }
  if (what == 0x1000) { *(uint64_t *)into = 4; return 0; }
  if (what == 0x1002) { *(uint32_t *)into = 1; return 0; }
  if (what == 0x101f) { *(uint64_t *)into = 1 << 30; return 0; }
  return -30;
}
int clBuildProgram(uint64_t program) { COMPILE; return -11; }
int clGetProgramBuildInfo(void) { return -30; }

uint64_t clCreateContext(void *p, uint32_t n, void *d, void *f, void *u, int *status) { *status = 0; return 3; }
uint64_t clCreateCommandQueue(uint64_t c, uint64_t d, uint64_t f, int *status) { *status = 0; return 4; }
uint64_t clCreateProgramWithSource(uint64_t c, uint32_t n, void *t, void *l, int *status) { *status = 0; return 5; }
uint64_t clCreateKernel(uint64_t p, void *n, int *status) { *status = 0; return 6; }
uint64_t clCreateBuffer(uint64_t c, uint64_t f, uint64_t n, void *h, int *status) { *status = 0; return 7; }
`

const CUDA = `
int cuInit(unsigned flags) { LIST; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Stub GPU"); return 0; }
int cuDeviceTotalMem_v2(uint64_t *bytes, int device) { *bytes = 1 << 30; return 0; }
int cuDeviceGetAttribute(int *value, int what, int device) { *value = what == 50 ? DOMAIN : 1; return 0; }
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuGetErrorName(int status, char **name) { *name = "CUDA_ERROR_STUB"; return 0; }
int cuModuleLoadDataEx(void *module, void *image, unsigned n, void *options, void *values) { COMPILE; return 218; }

`

/**
 * Builds the library with the system's C compiler (`cc`).
 * @param moment undefined: the library only refuses to compile @throws if `cc` is absent
 */
export function buildStubDriver(api: Api, moment?: Moment, failure: Failure = "hang"): StubDriver {
  const directory = mkdtempSync(join(tmpdir(), "quantus-stub-"))
  const source = join(directory, "stub.c")
  const act = (at: Moment) => (at === moment ? `{ ${FAILURES[failure]} }` : "{}")
  const load = `__attribute__((constructor)) static void load(void) ${act("load")}\n`
  const [text, table] = api === "cuda" ? [CUDA, CUDA_FUNCTIONS] : [OPENCL, OPENCL_FUNCTIONS]
  const body = text + silent(table, text)
  // Miners lock their GPUs: each stand-in is another card.
  const id = randomUUID()
  const uuid = `#define UUID "${id.slice(0, 16)}"\n#define DOMAIN 0x${id.slice(0, 4)}\n`
  writeFileSync(source, HEAD + uuid + load + body.replace("LIST;", act("list")).replace("COMPILE;", act("compile")))
  const library = join(directory, api === "cuda" ? "libcuda.so.1" : "libOpenCL.so.1")
  const { success, stderr } = Bun.spawnSync(["cc", "-shared", "-fPIC", "-w", "-O0", "-o", library, source])
  if (!success) throw new Error(`cc cannot build the stub driver: ${stderr}`)
  return { env: { LD_LIBRARY_PATH: directory }, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
