/**
 * A machine that runs emitted code without the CPU for it: Bochs, booted from an image made here. The boot sector loads
 * the image, enters long mode, enables the CPU's registers, and runs a list of jobs; results leave by the first serial port.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** What the machine does, in order. Addresses are physical; memory is mapped one to one. */
export type Job =
  /** Puts bytes of the image where they are wanted. */
  | { readonly kind: "place"; readonly bytes: Uint8Array; readonly address: number }
  /** Calls code with an address in rdi. */
  | { readonly kind: "call"; readonly code: number; readonly argument: number }
  /** Sends memory out. */
  | { readonly kind: "send"; readonly address: number; readonly length: number }

/** A CPU that Bochs emulates. */
export interface EmulatedCpu {
  /** As `bochs --help cpu` lists it. */
  readonly model: string
  /** Register state to enable: 0b111 for x87, SSE and AVX, 0b1110_0111 with AVX-512. */
  readonly xcr0: number
}

/** With AVX-512 and IFMA. */
export const ICE_LAKE: EmulatedCpu = { model: "corei7_icelake_u", xcr0: 0xe7 }
/** With AVX, without AVX2 and BMI2. */
export const SANDY_BRIDGE: EmulatedCpu = { model: "corei7_sandy_bridge_2600k", xcr0: 7 }
/** With BMI2. */
export const HASWELL: EmulatedCpu = { model: "corei7_haswell_4770", xcr0: 7 }

const BIOS = "/usr/share/bochs/BIOS-bochs-latest"
const VGA_BIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"

/** @returns why the machine cannot run here; undefined where it can */
export function bochsMissing(): string | undefined {
  for (const program of ["bochs", "script"]) if (!Bun.which(program)) return `${program} is not installed`
  const help = Bun.spawnSync(["bochs", "--help", "cpu"], { stderr: "pipe" })
  if (!`${help.stdout}${help.stderr}`.includes("icelake")) return "this Bochs knows no CPU with AVX-512"
  return undefined
}

/** @returns everything sent, in order. @throws Error with the machine's log where it did not come to its end */
export async function runBochs(cpu: EmulatedCpu, jobs: readonly Job[], seconds: number): Promise<Uint8Array> {
  const directory = mkdtempSync(join(tmpdir(), "bochs-"))
  try {
    const image = bootImage(cpu, jobs)
    const file = (name: string) => join(directory, name)
    writeFileSync(file("disk.img"), image)
    writeFileSync(file("input.txt"), "c\n")
    writeFileSync(
      file("bochsrc"),
      [
        `cpu: model=${cpu.model}, count=1, ips=100000000, reset_on_triple_fault=0`,
        "megs: 32",
        `romimage: file=${BIOS}`,
        `vgaromimage: file=${VGA_BIOS}`,
        "display_library: term",
        `ata0-master: type=disk, mode=flat, path=${file("disk.img")}, cylinders=${image.length / 512 / 1008}, heads=16, spt=63`,
        "boot: disk",
        `com1: enabled=1, mode=file, dev=${file("serial.bin")}`,
        `log: ${file("log.txt")}`,
        "sound: driver=dummy",
        "panic: action=fatal",
        "",
      ].join("\n"),
    )
    const bochs = `exec timeout ${seconds} bochs -q -f ${file("bochsrc")} -rc ${file("input.txt")}`
    const run = Bun.spawn(["script", "-qec", bochs, "/dev/null"], {
      env: { ...process.env, TERM: "xterm" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    })
    await run.exited
    const sent = existsSync(file("serial.bin")) ? readFileSync(file("serial.bin")) : new Uint8Array()
    const expected = jobs.reduce((sum, job) => sum + (job.kind === "send" ? job.length : 0), 0)
    if (sent.length !== expected) {
      const log = readFileSync(file("log.txt"), "utf8").split("\n").slice(-25).join("\n")
      throw new Error(`Bochs sent ${sent.length} of ${expected} bytes:\n${log}`)
    }
    return new Uint8Array(sent)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Where the image after the boot sector is loaded, 32 KiB at a time, and what stands there. */
const LOADED = 0x10000
const CHUNK = 32 * 1024
const PAGE_TABLES = LOADED
const DRIVER = LOADED + 0x3000

function bootImage(cpu: EmulatedCpu, jobs: readonly Job[]): Uint8Array {
  const driver = new Code()
  const data: { bytes: Uint8Array; address: number }[] = []
  // The driver's length does not depend on the addresses in it.
  const build = (dataAt: number) => {
    driver.bytes.length = 0
    data.length = 0
    renderDriver(driver, cpu, jobs, bytes => {
      const address = dataAt
      data.push({ bytes, address })
      dataAt += Math.ceil(bytes.length / 64) * 64
      return address
    })
    return dataAt
  }
  build(0)
  const end = build(DRIVER + Math.ceil(driver.bytes.length / 64) * 64)
  const chunks = Math.ceil((end - LOADED) / CHUNK)
  if (LOADED + chunks * CHUNK > 0x9f000) throw new Error("the image does not fit below 640 KiB")
  // Whole cylinders of 16 heads and 63 sectors.
  const image = new Uint8Array(Math.ceil((1 + (chunks * CHUNK) / 512) / 1008) * 1008 * 512)
  image.set(bootSector(chunks))
  const at = (address: number) => 512 + address - LOADED
  image.set(pageTables(), at(PAGE_TABLES))
  image.set(driver.bytes, at(DRIVER))
  for (const { bytes, address } of data) image.set(bytes, at(address))
  return image
}

class Code {
  readonly bytes: number[] = []

  /** Hex digits, blanks ignored. */
  hex(text: string): this {
    this.bytes.push(...Buffer.from(text.replace(/\s/g, ""), "hex"))
    return this
  }

  word(value: number, bytes: number): this {
    for (let i = 0; i < bytes; i++) this.bytes.push(Math.floor(value / 2 ** (8 * i)) & 255)
    return this
  }
}

/** 16-bit code: reads the chunks, then goes to long mode and to the driver. */
function bootSector(chunks: number): Uint8Array {
  const code = new Code()
  const [packet, gdt, gdtPointer] = [0x1c0, 0x1d0, 0x1e0].map(offset => 0x7c00 + offset) as [number, number, number]
  code.hex("fa fc 31c0 8ed8 8ec0 8ed0 bc007c") // cli; cld; ax = ds = es = ss = 0; sp = 0x7c00
  code.hex("bd").word(chunks, 2) // mov bp, chunks
  const loop = code.bytes.length
  code.hex("be").word(packet, 2).hex("b442 b280 cd13") // mov si, packet; ah = 0x42; dl = 0x80; int 0x13
  code
    .hex("8106")
    .word(packet + 6, 2)
    .word(CHUNK / 16, 2) // add word [segment], chunk
  code
    .hex("668106")
    .word(packet + 8, 2)
    .word(CHUNK / 512, 4) // add dword [sector], chunk
  code.hex("4d 75").word(loop - (code.bytes.length + 2) + 256, 1) // dec bp; jnz loop
  code.hex("66b820060400 0f22e0") // cr4 = PAE | OSFXSR | OSXMMEXCPT | OSXSAVE
  code.hex("66b8").word(PAGE_TABLES, 4).hex("0f22d8") // cr3
  code.hex("66b9800000c0 0f32 660d00010000 0f30") // EFER.LME
  code.hex("0f0116").word(gdtPointer, 2) // lgdt
  code.hex("0f20c0 660d01000080 0f22c0") // cr0 |= PG | PE
  code.hex("66ea").word(DRIVER, 4).word(8, 2) // jmp 8:driver
  const sector = new Uint8Array(512)
  sector.set(code.bytes)
  const view = new DataView(sector.buffer, 0)
  const at = (address: number) => address - 0x7c00
  view.setUint16(at(packet), 16, true)
  view.setUint16(at(packet) + 2, CHUNK / 512, true)
  view.setUint16(at(packet) + 6, LOADED / 16, true)
  view.setUint32(at(packet) + 8, 1, true)
  view.setBigUint64(at(gdt) + 8, 0x00209a0000000000n, true) // 64-bit code, ring 0
  view.setUint16(at(gdtPointer), 15, true)
  view.setUint32(at(gdtPointer) + 2, gdt, true)
  sector.set([0x55, 0xaa], 510)
  return sector
}

/** 1 GiB mapped one to one by 2 MiB pages. */
function pageTables(): Uint8Array {
  const words = new BigUint64Array((3 * 4096) / 8)
  words[0] = BigInt(PAGE_TABLES + 0x1000) | 3n
  words[512] = BigInt(PAGE_TABLES + 0x2000) | 3n
  for (let i = 0; i < 512; i++) words[1024 + i] = (BigInt(i) << 21n) | 0x83n
  return new Uint8Array(words.buffer)
}

/** 64-bit code that does the jobs and turns the machine off. */
function renderDriver(
  code: Code,
  { xcr0 }: EmulatedCpu,
  jobs: readonly Job[],
  place: (bytes: Uint8Array) => number,
): void {
  code.hex("31c9 31d2 b8").word(xcr0, 4).hex("0f01d1") // ecx = edx = 0; eax = xcr0; xsetbv
  code.hex("bc00800000") // esp = 0x8000
  code.hex("66bafb03 b003 ee") // the serial port: 8 bits a byte
  const register = (opcode: string, value: number) => code.hex(`48${opcode}`).word(value, 8)
  for (const job of jobs) {
    if (job.kind === "place") {
      register("be", place(job.bytes)) // rsi
      register("bf", job.address) // rdi
      register("b9", job.bytes.length) // rcx
      code.hex("f3a4") // rep movsb
    } else if (job.kind === "call") {
      register("bf", job.argument)
      register("b8", job.code) // rax
      code.hex("ffd0")
    } else {
      register("be", job.address)
      register("b9", job.length)
      code.hex("66bafd03 ec a820 74f7") // wait: dx = 0x3fd; in al, dx; test al, 0x20; jz wait
      code.hex("66baf803 6e") // dx = 0x3f8; outsb
      code.hex("48ffc9 75ed") // dec rcx; jnz wait
    }
  }
  code.hex("66bafd03 ec a840 74f7") // until all is sent
  code.hex("66ba0089") // dx = 0x8900: Bochs ends where it reads this word there
  for (const letter of "Shutdown") code.hex("b0").word(letter.charCodeAt(0), 1).hex("ee")
  code.hex("f4ebfd") // hlt, for ever
}
