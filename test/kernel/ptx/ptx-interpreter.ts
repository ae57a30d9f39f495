/**
 * An interpreter of PTX text. It runs the threads of a launch one after the other and supports only the instructions
 * that the renderer writes, as the PTX ISA describes them. Any other instruction throws an error that names it.
 */

/** A kernel argument: a 32-bit or 64-bit word, or an address. */
export type Argument = number | bigint

const CONSTANT_SPACE = 1n << 40n
const MASK64 = 2n ** 64n - 1n
const WORD = 2n ** 32n

interface Thread {
  readonly r: Uint32Array
  readonly d: BigUint64Array
  readonly p: Uint8Array
  readonly special: Readonly<Record<string, number>>
  readonly parameters: ReadonlyMap<string, Argument>
  carry: number
  next: number
}

type Operation = (thread: Thread) => void

interface Entry {
  readonly parameters: readonly string[]
  readonly registers: Readonly<Record<"r" | "d" | "p", number>>
  readonly operations: readonly Operation[]
}

export class PtxMachine {
  /** Global memory. Addresses are offsets into it. */
  readonly memory: DataView
  readonly #constants = new Map<string, bigint>()
  readonly #constantMemory: DataView
  readonly #entries = new Map<string, Entry>()

  /** @param text a module @param bytes of global memory */
  constructor(text: string, bytes: number) {
    this.memory = new DataView(new ArrayBuffer(bytes))
    const words: bigint[] = []
    for (const [, name, list] of text.matchAll(/^\.const \.align 8 \.b64 (\w+)\[\d+\] = \{(.*)\};$/gm)) {
      this.#constants.set(name!, CONSTANT_SPACE + BigInt(8 * words.length))
      words.push(...list!.split(", ").map(BigInt))
    }
    for (const [, name, word] of text.matchAll(/^\.const \.align 4 \.b32 (\w+) = (\w+);$/gm)) {
      this.#constants.set(name!, CONSTANT_SPACE + BigInt(8 * words.length))
      words.push(BigInt(word!))
    }
    this.#constantMemory = new DataView(BigUint64Array.from(words).buffer)
    for (const [, name, parameters, body] of text.matchAll(
      /^\.visible \.entry (\w+)\(\n([^)]*)\n\)\n[^\n]*\n\{\n([\s\S]*?)^\}$/gm,
    ))
      this.#entries.set(name!, this.#decode(parameters!, body!))
  }

  /** Runs every thread of a launch, in order. */
  launch(kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void {
    for (let index = 0; index < Math.max(1, groups * groupSize); index++)
      this.launchThread(kernel, groups, groupSize, index, args)
  }

  /** Runs one thread of a launch. */
  launchThread(kernel: string, groups: number, groupSize: number, index: number, args: readonly Argument[]): void {
    const entry = this.#entries.get(kernel)
    if (!entry) throw new Error(`no kernel ${kernel}`)
    if (args.length !== entry.parameters.length) throw new Error(`${kernel}: wrong number of arguments`)
    const parameters = new Map(entry.parameters.map((name, i) => [name, args[i]!]))
    const [group, thread] = [Math.floor(index / groupSize), index % groupSize]
    run(entry, parameters, { "%ntid.x": groupSize, "%nctaid.x": groups, "%ctaid.x": group, "%tid.x": thread })
  }

  #decode(parameters: string, body: string): Entry {
    const lines = body.split("\n").map(line => line.trim())
    const count = (kind: string, type: string) =>
      Number(new RegExp(`\\.reg \\.${type} %${kind}<(\\d+)>`).exec(body)?.[1] ?? 0)
    const labels = new Map<string, number>()
    const instructions: string[] = []
    for (const line of lines) {
      if (line.endsWith(":")) labels.set(line.slice(0, -1), instructions.length)
      else if (line !== "" && !line.startsWith(".reg")) instructions.push(line.replace(/;$/, ""))
    }
    return {
      parameters: parameters.split("\n").map(line => /\.param \.b\d+ (\w+)/.exec(line)![1]!),
      registers: { r: count("r", "b32"), d: count("d", "b64"), p: count("p", "pred") },
      operations: instructions.map(instruction => this.#operation(instruction, labels)),
    }
  }

  #operation(instruction: string, labels: ReadonlyMap<string, number>): Operation {
    const [, guard, name, rest = ""] = /^(?:@%p(\d+) )?(\S+)(?: (.*))?$/.exec(instruction)!
    const operands = [...rest.matchAll(/\{[^}]*\}|\[[^\]]*\]|[^,\s]+/g)].map(match => match[0])
    const operation = name === "bra" ? jump(labels.get(operands[0]!)!) : this.#plain(name!, operands)
    if (guard === undefined) return operation
    const predicate = Number(guard)
    return thread => {
      if (thread.p[predicate]) operation(thread)
    }
  }

  #plain(name: string, operands: readonly string[]): Operation {
    const [first, ...rest] = operands as [string, ...string[]]
    const integers = INTEGER[name]
    if (integers) {
      const [a, b, c] = rest.map(word)
      const to = index(first)
      return t => {
        t.r[to] = integers(t, a?.(t) ?? 0, b?.(t) ?? 0, c?.(t) ?? 0)
      }
    }
    const longs = LONG[name]
    if (longs) {
      const [a, b, c] = rest.map(long)
      const to = index(first)
      return t => {
        t.d[to] = longs(a?.(t) ?? 0n, b?.(t) ?? 0n, c?.(t) ?? 0n) & MASK64
      }
    }
    const setp = /^setp\.(\w+)\.u(?:32|64)$/.exec(name)
    if (setp) {
      const [a, b] = rest.map(long)
      const compare = COMPARE[setp[1]!]!
      const to = index(first)
      return t => {
        t.p[to] = compare(a!(t), b!(t)) ? 1 : 0
      }
    }
    return this.#move(name, first, rest)
  }

  #move(name: string, first: string, rest: readonly string[]): Operation {
    switch (name) {
      case "ret":
        return t => {
          t.next = Number.POSITIVE_INFINITY
        }
      case "mov.b64":
        return first.startsWith("{") ? unpack(first, rest[0]!) : pack(first, rest[0]!)
      case "mov.u64": {
        const address = this.#constants.get(rest[0]!)!
        return set64(first, () => address)
      }
      case "selp.b64": {
        const [a, b] = [long(rest[0]!), long(rest[1]!)]
        const predicate = index(rest[2]!)
        return set64(first, t => (t.p[predicate] ? a(t) : b(t)))
      }
      case "ld.param.b32":
        return set32(first, t => Number(t.parameters.get(inside(rest[0]!))))
      case "ld.param.b64":
        return set64(first, t => BigInt(t.parameters.get(inside(rest[0]!))!))
      case "ld.const.b32": {
        const at = Number(this.#constants.get(inside(rest[0]!))! - CONSTANT_SPACE)
        return set32(first, () => this.#constantMemory.getUint32(at, true))
      }
      case "ld.const.b64": {
        const at = address(rest[0]!)
        return set64(first, t => this.#constantMemory.getBigUint64(Number(at(t) - CONSTANT_SPACE), true))
      }
      case "ld.global.b64": {
        const at = address(rest[0]!)
        return set64(first, t => this.memory.getBigUint64(Number(at(t)), true))
      }
      case "st.global.b64": {
        const [at, value] = [address(first), long(rest[0]!)]
        return t => this.memory.setBigUint64(Number(at(t)), value(t), true)
      }
      case "st.global.b32": {
        const [at, value] = [address(first), word(rest[0]!)]
        return t => this.memory.setUint32(Number(at(t)), value(t), true)
      }
      case "atom.global.add.u32": {
        const [at, value] = [address(rest[0]!), word(rest[1]!)]
        return set32(first, t => {
          const old = this.memory.getUint32(Number(at(t)), true)
          this.memory.setUint32(Number(at(t)), old + value(t), true)
          return old
        })
      }
    }
    throw new Error(`no such instruction: ${name}`)
  }
}

function run(entry: Entry, parameters: ReadonlyMap<string, Argument>, special: Thread["special"]): void {
  const thread: Thread = {
    r: new Uint32Array(entry.registers.r),
    d: new BigUint64Array(entry.registers.d),
    p: new Uint8Array(entry.registers.p),
    special,
    parameters,
    carry: 0,
    next: 0,
  }
  while (thread.next < entry.operations.length) entry.operations[thread.next++]!(thread)
}

type Word = (t: Thread, a: number, b: number, c: number) => number

/** Returns the low word and stores the rest in the carry flag. */
const carrying = (value: (t: Thread, a: number, b: number, c: number) => number): Word => {
  return (t, a, b, c) => {
    const sum = value(t, a, b, c)
    t.carry = sum >= 2 ** 32 || sum < 0 ? 1 : 0
    return sum
  }
}

const low = (a: number, b: number): number => Math.imul(a, b) >>> 0
const high = (a: number, b: number): number => Number((BigInt(a) * BigInt(b)) >> 32n)

const INTEGER: Readonly<Record<string, Word>> = {
  "mov.b32": (_, a) => a,
  "mov.u32": (_, a) => a,
  "add.u32": (_, a, b) => a + b,
  "add.cc.u32": carrying((_, a, b) => a + b),
  "addc.u32": (t, a, b) => a + b + t.carry,
  "addc.cc.u32": carrying((t, a, b) => a + b + t.carry),
  "sub.u32": (_, a, b) => a - b,
  "sub.cc.u32": carrying((_, a, b) => a - b),
  "subc.u32": (t, a, b) => a - b - t.carry,
  "mul.lo.u32": (_, a, b) => low(a, b),
  "mad.lo.u32": (_, a, b, c) => low(a, b) + c,
  "mad.lo.cc.u32": carrying((_, a, b, c) => low(a, b) + c),
  "madc.lo.cc.u32": carrying((t, a, b, c) => low(a, b) + c + t.carry),
  "madc.hi.u32": (t, a, b, c) => high(a, b) + c + t.carry,
  "madc.hi.cc.u32": carrying((t, a, b, c) => high(a, b) + c + t.carry),
  "and.b32": (_, a, b) => a & b,
  "shl.b32": (_, a, b) => a << b,
  "shr.u32": (_, a, b) => a >>> b,
  "shf.l.wrap.b32": (_, a, b, c) => (b << c) | (a >>> (32 - c)),
  "prmt.b32": (_, a, _b, selector) => {
    if (selector !== 0x0123) throw new Error("only the reversal of bytes is known of prmt")
    return ((a & 0xff) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)
  },
}

const LONG: Readonly<Record<string, (a: bigint, b: bigint, c: bigint) => bigint>> = {
  "add.u64": (a, b) => a + b,
  "sub.u64": (a, b) => a - b,
  "mul.wide.u32": (a, b) => a * b,
  "mad.wide.u32": (a, b, c) => a * b + c,
  "cvt.u64.u32": a => a,
}

const COMPARE: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
}

const index = (register: string): number => Number(/^%[rdp](\d+)$/.exec(register)![1])
const inside = (reference: string): string => reference.slice(1, -1)

function word(operand: string): (t: Thread) => number {
  if (operand.startsWith("%r")) {
    const from = index(operand)
    return t => t.r[from]!
  }
  if (operand.startsWith("%")) return t => t.special[operand]!
  const value = Number(operand)
  return () => value
}

function long(operand: string): (t: Thread) => bigint {
  if (operand.startsWith("%d")) {
    const from = index(operand)
    return t => t.d[from]!
  }
  if (operand.startsWith("%")) {
    const value = word(operand)
    return t => BigInt(value(t))
  }
  const value = BigInt(operand)
  return () => value
}

function address(reference: string): (t: Thread) => bigint {
  const [register, offset = "0"] = inside(reference).split("+")
  const from = index(register!)
  const plus = BigInt(offset)
  return t => t.d[from]! + plus
}

function unpack(words: string, pair: string): Operation {
  const [lowTo, highTo] = inside(words).split(", ").map(index)
  const value = long(pair)
  return t => {
    t.r[lowTo!] = Number(value(t) & (WORD - 1n))
    t.r[highTo!] = Number(value(t) >> 32n)
  }
}

function pack(pair: string, words: string): Operation {
  const [lowFrom, highFrom] = inside(words).split(", ").map(word)
  return set64(pair, t => BigInt(lowFrom!(t)) + BigInt(highFrom!(t)) * WORD)
}

function set32(register: string, value: (t: Thread) => number): Operation {
  const to = index(register)
  return t => {
    t.r[to] = value(t)
  }
}

function set64(register: string, value: (t: Thread) => bigint): Operation {
  const to = index(register)
  return t => {
    t.d[to] = value(t)
  }
}

const jump =
  (to: number): Operation =>
  t => {
    t.next = to
  }
