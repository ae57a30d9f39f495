import { afterAll, describe, expect, test } from "bun:test"
import { detectEffectiveCpus } from "../../../src/host/effective-cpus.ts"
import { type DetectOptions, readEffectiveCpus } from "../../../src/host/linux/effective-cpus.ts"
import { collectLog } from "../../support/collect-log.ts"
import { scratch } from "../support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const noMask = "debug no cpuset mask detected; using full logical CPU count"

/** mountinfo as on a host, by hierarchy. */
const mount = {
  v2: "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
  tmpfs: "31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n",
  cpuset: "34 31 0:31 / /sys/fs/cgroup/cpuset rw shared:12 - cgroup cgroup rw,cpuset\n",
  cpu: "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n",
  unified: "41 31 0:38 / /sys/fs/cgroup/unified rw shared:19 - cgroup2 cgroup2 rw\n",
}

async function detect(files: Record<string, string>, options: DetectOptions = {}) {
  const log = collectLog()
  const root = tmp.root(files)
  const cpus = await detectEffectiveCpus(
    () => readEffectiveCpus({ root, logicalCpus: 8, affinity: () => undefined, ...options }),
    log,
  )
  return { ...cpus, root, lines: log.texts.map(line => line.replaceAll(root, "")) }
}

describe("no cpuset", () => {
  test("no /sys and no /proc", async () => {
    const { root: _, ...result } = await detect({})
    expect(result).toEqual({
      count: 8,
      cpus: [0, 1, 2, 3, 4, 5, 6, 7],
      mask: undefined,
      decidedBy: "logical CPUs",
      quota: undefined,
      logicalCpus: 8,
      warnings: [],
      lines: [noMask, "info 8 effective CPUs of 8, decided by the number of logical CPUs"],
    })
  })

  test("an empty file counts as absent, without a warning", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset.cpus.effective": "\n" })
    expect(result).toMatchObject({ count: 8, mask: undefined, decidedBy: "logical CPUs" })
    expect(result.lines[0]).toBe(noMask)
  })

  test("this machine is detected without warnings", async () => {
    const log = collectLog()
    const { count, cpus, logicalCpus } = await detectEffectiveCpus(readEffectiveCpus, log)
    expect(count).toBeGreaterThanOrEqual(1)
    expect(count).toBeLessThanOrEqual(logicalCpus)
    expect(cpus.length).toBeGreaterThanOrEqual(count)
  })
})

describe("the file at the root", () => {
  test("version 2", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset.cpus.effective": "0-2,6\n" })
    expect(result).toMatchObject({ count: 4, cpus: [0, 1, 2, 6], mask: "0-2,6", decidedBy: "cpuset" })
    expect(result.lines).toEqual([
      "debug detected cpuset mask: 0-2,6",
      "info 4 effective CPUs of 8, decided by the cpuset 0-2,6",
    ])
  })

  test("version 1, without a newline", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset/cpuset.cpus": "3" })
    expect(result).toMatchObject({ count: 1, cpus: [3], mask: "3", decidedBy: "cpuset" })
    expect(result.lines).toEqual([
      "debug detected cpuset mask: 3",
      "info 1 effective CPU of 8, decided by the cpuset 3",
    ])
  })

  test("version 2 before version 1", async () => {
    const result = await detect({
      "sys/fs/cgroup/cpuset.cpus.effective": "0-1",
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-4",
    })
    expect(result).toMatchObject({ count: 2, mask: "0-1" })
  })

  test("a mask of all CPUs is reported but is not a limit", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset.cpus.effective": "0-7\n" })
    expect(result).toMatchObject({ count: 8, mask: "0-7", decidedBy: "logical CPUs" })
    expect(result.lines[0]).toBe("debug detected cpuset mask: 0-7")
  })

  test("a mask of more CPUs than exist does not raise the count", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset.cpus.effective": "0-127\n" })
    expect(result).toMatchObject({ count: 8, decidedBy: "logical CPUs" })
  })

  test("strides", async () => {
    const result = await detect({ "sys/fs/cgroup/cpuset.cpus.effective": "0-7:1/2\n" })
    expect(result).toMatchObject({ count: 4, cpus: [0, 2, 4, 6], mask: "0-7:1/2" })
  })
})

describe("malformed", () => {
  test("version 2's file counts as absent, with a warning", async () => {
    const result = await detect({
      "sys/fs/cgroup/cpuset.cpus.effective": "0-x\n",
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-4",
    })
    expect(result).toMatchObject({ count: 5, mask: "0-4" })
    expect(result.lines).toEqual([
      "warn ignoring the malformed cpuset mask in /sys/fs/cgroup/cpuset.cpus.effective: " +
        '"0-x" is neither a CPU nor a range of CPUs',
      "debug detected cpuset mask: 0-4",
      "info 5 effective CPUs of 8, decided by the cpuset 0-4",
    ])
  })

  test("both versions' files", async () => {
    const result = await detect({
      "sys/fs/cgroup/cpuset.cpus.effective": "3-1",
      "sys/fs/cgroup/cpuset/cpuset.cpus": "none",
    })
    expect(result).toMatchObject({ count: 8, mask: undefined, decidedBy: "logical CPUs" })
    expect(result.lines.map(line => line.split(" ")[0])).toEqual(["warn", "warn", "debug", "info"])
  })

  test("malformed /proc/self/cgroup, mountinfo and status", async () => {
    const result = await detect({
      "proc/self/cgroup": "nonsense\n0::relative\n:::\n",
      "proc/self/mountinfo": "1 2 - \n - cgroup2\n\n",
      "proc/self/status": "Cpus_allowed_list:\tzero\n",
    })
    expect(result).toMatchObject({ count: 8, decidedBy: "logical CPUs" })
  })

  test.each(["100000", "lots 100000", "100000 0", "-5 100000", "1 2 3", "1e5 100000", ""])("cpu.max %j", async text => {
    const result = await detect({
      "proc/self/cgroup": "0::/\n",
      "proc/self/mountinfo": mount.v2,
      "sys/fs/cgroup/cpu.max": text,
    })
    expect(result).toMatchObject({ count: 8, quota: undefined, decidedBy: "logical CPUs" })
    expect(result.lines[0]).toBe(`warn ignoring the malformed CPU quota in /sys/fs/cgroup/cpu.max: "${text}"`)
  })

  test("a quota of version 1 without its period", async () => {
    const result = await detect({
      "proc/self/cgroup": "1:cpu:/\n",
      "proc/self/mountinfo": mount.cpu,
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
    })
    expect(result.quota).toBeUndefined()
    expect(result.lines[0]).toStartWith("warn ignoring the malformed CPU quota in /sys/fs/cgroup/cpu,cpuacct/")
  })
})

describe("the process's own group", () => {
  const nested = {
    "proc/self/cgroup": "0::/system.slice/miner.service\n",
    "proc/self/mountinfo": `22 27 0:21 / /proc rw - proc proc rw\n${mount.v2}`,
    "sys/fs/cgroup/cpuset.cpus.effective": "0-7\n",
  }

  test("version 2, nested: its own cpuset", async () => {
    const result = await detect({
      ...nested,
      "sys/fs/cgroup/system.slice/cpuset.cpus.effective": "0-5\n",
      "sys/fs/cgroup/system.slice/miner.service/cpuset.cpus.effective": "4-5\n",
    })
    expect(result).toMatchObject({ count: 2, cpus: [4, 5], mask: "4-5", decidedBy: "cpuset" })
  })

  test("version 2, nested: the nearest parent's, where the controller is not enabled below", async () => {
    const result = await detect({ ...nested, "sys/fs/cgroup/system.slice/cpuset.cpus.effective": "0-2\n" })
    expect(result).toMatchObject({ count: 3, mask: "0-2" })
  })

  test("a malformed cpuset is replaced by the parent's", async () => {
    const result = await detect({
      ...nested,
      "sys/fs/cgroup/system.slice/cpuset.cpus.effective": "0-2\n",
      "sys/fs/cgroup/system.slice/miner.service/cpuset.cpus.effective": "4-\n",
    })
    expect(result).toMatchObject({ count: 3, mask: "0-2" })
    expect(result.warnings).toHaveLength(1)
  })

  test("a cpuset partition that excludes the root's CPUs", async () => {
    const result = await detect({
      ...nested,
      "sys/fs/cgroup/cpuset.cpus.effective": "0-1\n",
      "sys/fs/cgroup/system.slice/miner.service/cpuset.cpus.effective": "2-7\n",
    })
    expect(result).toMatchObject({ count: 6, cpus: [2, 3, 4, 5, 6, 7] })
  })

  test("version 1, nested", async () => {
    const result = await detect({
      "proc/self/cgroup": "7:cpuset:/rigs/a:b\n4:cpu,cpuacct:/\n",
      "proc/self/mountinfo": mount.tmpfs + mount.cpuset + mount.cpu,
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-7\n",
      "sys/fs/cgroup/cpuset/rigs/cpuset.cpus": "0-3\n",
      "sys/fs/cgroup/cpuset/rigs/a:b/cpuset.cpus": "1\n",
    })
    expect(result).toMatchObject({ count: 1, cpus: [1], mask: "1" })
  })

  test("hybrid: controllers in version 1, an empty version 2 beside them", async () => {
    const result = await detect({
      "proc/self/cgroup": "3:cpuset:/pod\n1:cpu,cpuacct:/pod\n0::/pod\n",
      "proc/self/mountinfo": mount.tmpfs + mount.cpuset + mount.cpu + mount.unified,
      "sys/fs/cgroup/unified/pod/cgroup.procs": "",
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-7\n",
      "sys/fs/cgroup/cpuset/pod/cpuset.cpus": "0-5\n",
      "sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us": "300000\n",
      "sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us": "100000\n",
    })
    expect(result).toMatchObject({ count: 3, cpus: [0, 1, 2, 3, 4, 5], mask: "0-5", decidedBy: "quota", quota: 3 })
  })

  test("hybrid: the cpuset in version 2", async () => {
    const result = await detect({
      "proc/self/cgroup": "1:cpu,cpuacct:/\n0::/pod\n",
      "proc/self/mountinfo": mount.tmpfs + mount.cpu + mount.unified,
      "sys/fs/cgroup/unified/pod/cpuset.cpus.effective": "6-7\n",
    })
    expect(result).toMatchObject({ count: 2, mask: "6-7" })
  })

  test("a mount point with a space in its path", async () => {
    const result = await detect({
      "proc/self/cgroup": "0::/\n",
      "proc/self/mountinfo": "31 23 0:28 / /control\\040groups rw - cgroup2 cgroup2 rw\n",
      "control groups/cpuset.cpus.effective": "0\n",
    })
    expect(result).toMatchObject({ count: 1, mask: "0" })
  })
})

describe("container", () => {
  test("version 2 with a private namespace: the group is the visible root", async () => {
    const result = await detect({
      "proc/self/cgroup": "0::/\n",
      "proc/self/mountinfo": mount.v2,
      "sys/fs/cgroup/cpuset.cpus.effective": "2-3\n",
      "sys/fs/cgroup/cpu.max": "150000 100000\n",
    })
    expect(result).toMatchObject({ count: 1, cpus: [2, 3], mask: "2-3", decidedBy: "quota", quota: 1.5 })
    expect(result.lines.at(-1)).toBe("info 1 effective CPU of 8, decided by the quota of 1.5 CPUs")
  })

  test("version 1 with the host's namespace: only the container's group is mounted", async () => {
    const group = "/docker/0a1b2c"
    const result = await detect({
      "proc/self/cgroup": `6:cpuset:${group}\n5:cpu,cpuacct:${group}\n`,
      "proc/self/mountinfo":
        mount.tmpfs + mount.cpuset.replace(" / /", ` ${group} /`) + mount.cpu.replace(" / /", ` ${group} /`),
      "sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    })
    expect(result).toMatchObject({ count: 4, mask: "0-3", decidedBy: "cpuset", quota: undefined, warnings: [] })
  })

  test("a group path that is valid outside the mount only", async () => {
    const result = await detect({
      "proc/self/cgroup": "0::/../../user.slice\n",
      "proc/self/mountinfo": mount.v2,
      "sys/fs/cgroup/cpuset.cpus.effective": "0-1\n",
      "sys/fs/cgroup/cpu.max": "max 100000\n",
    })
    expect(result).toMatchObject({ count: 2, mask: "0-1", quota: undefined })
  })
})

describe("quota", () => {
  const nested = { "proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mount.v2 }

  test("the smallest quota of the group and its parents applies", async () => {
    const result = await detect({
      ...nested,
      "sys/fs/cgroup/a/cpu.max": "250000 100000\n",
      "sys/fs/cgroup/a/b/cpu.max": "600000 100000\n",
    })
    expect(result).toMatchObject({ count: 2, quota: 2.5, decidedBy: "quota", mask: undefined })
    expect(result.lines).toEqual([noMask, "info 2 effective CPUs of 8, decided by the quota of 2.5 CPUs"])
  })

  test("a second mount of the group alone hides no parent", async () => {
    const inner = "50 23 0:28 /a/b /run/inner rw - cgroup2 cgroup2 rw\n"
    const result = await detect({
      "proc/self/cgroup": "0::/a/b\n",
      "proc/self/mountinfo": inner + mount.v2,
      "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
      "run/inner/cpu.max": "max 100000\n",
    })
    expect(result).toMatchObject({ count: 3, quota: 3 })
  })

  test("less than one CPU counts as one", async () => {
    const result = await detect({ ...nested, "sys/fs/cgroup/a/b/cpu.max": "20000 100000\n" })
    expect(result).toMatchObject({ count: 1, quota: 0.2, decidedBy: "quota" })
  })

  test("a quota above the number of CPUs does not decide", async () => {
    const result = await detect({ ...nested, "sys/fs/cgroup/a/b/cpu.max": "6400000 100000\n" })
    expect(result).toMatchObject({ count: 8, quota: 64, decidedBy: "logical CPUs" })
  })

  test("version 1, set on a parent", async () => {
    const result = await detect({
      "proc/self/cgroup": "4:cpu,cpuacct:/a/b\n",
      "proc/self/mountinfo": mount.cpu,
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n",
      "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "50000\n",
      "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
    })
    expect(result).toMatchObject({ count: 4, quota: 4, decidedBy: "quota", warnings: [] })
  })
})

describe("affinity", () => {
  const cpuset = { "sys/fs/cgroup/cpuset.cpus.effective": "0-3\n" }

  test("the system call decides", async () => {
    const result = await detect({}, { affinity: () => [1, 6] })
    expect(result).toMatchObject({ count: 2, cpus: [1, 6], decidedBy: "affinity", mask: undefined })
    expect(result.lines).toEqual([noMask, "info 2 effective CPUs of 8, decided by the affinity 1,6"])
  })

  test("the status file decides without the system call", async () => {
    const status = "Name:\tminer\nCpus_allowed:\t0c\nCpus_allowed_list:\t2-3\nMems_allowed:\t1\n"
    const result = await detect({ "proc/self/status": status })
    expect(result).toMatchObject({ count: 2, cpus: [2, 3], decidedBy: "affinity" })
  })

  test("is intersected with the cpuset", async () => {
    const result = await detect(cpuset, { affinity: () => [2, 3, 4, 5] })
    expect(result).toMatchObject({ count: 2, cpus: [2, 3], mask: "0-3", decidedBy: "affinity" })
  })

  test("equal to the cpuset: the cpuset decides", async () => {
    const result = await detect(cpuset, { affinity: () => [0, 1, 2, 3] })
    expect(result).toMatchObject({ count: 4, decidedBy: "cpuset" })
  })

  test("disjoint from the cpuset, as after a change between two readings: the affinity decides", async () => {
    const result = await detect(cpuset, { affinity: () => [5] })
    expect(result).toMatchObject({ count: 1, cpus: [5], decidedBy: "affinity" })
  })

  test("a smaller quota decides", async () => {
    const result = await detect(
      { "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mount.v2, "sys/fs/cgroup/cpu.max": "100000 100000\n" },
      { affinity: () => [5, 6] },
    )
    expect(result).toMatchObject({ count: 1, cpus: [5, 6], decidedBy: "quota" })
  })
})
