import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { readArgv } from "../../src/config/argv.ts"
import { OperatorError } from "../../src/errors.ts"

const texts = (args: string[]) =>
  Object.fromEntries([...readArgv("serve", args).given].map(([name, { text }]) => [name, text]))

test("a value stands behind its flag or an equals sign", () => {
  expect(texts(["--cpu-workers", "2", "--engine=wasm"])).toEqual({ cpuWorkers: "2", engine: "wasm" })
  expect(texts(["--password=a=b"])).toEqual({ password: "a=b" })
  expect(texts(["--engine="])).toEqual({ engine: "" })
})

test("aliases are the option", () => {
  expect(texts(["--workers", "3"])).toEqual({ cpuWorkers: "3" })
})

test("a boolean needs no value, and takes one where it is unmistakable", () => {
  expect(texts(["--verbose"])).toEqual({ verbose: "true" })
  expect(texts(["--verbose", "no", "--engine", "wasm"])).toEqual({ verbose: "no", engine: "wasm" })
  expect(texts(["--verbose", "--keep-mining=0"])).toEqual({ verbose: "true", keepMining: "0" })
})

test("URLs can be repeated, other flags cannot", () => {
  expect(texts(["--url", "quic://a", "--url=quic://b,quic://c"])).toEqual({ url: "quic://a,quic://b,quic://c" })
  expect(() => texts(["--engine", "wasm", "--engine", "wasm"])).toThrow("--engine is given twice")
  expect(() => texts(["--cpu-workers", "1", "--workers", "1"])).toThrow("--workers is given twice")
})

describe("complaints", () => {
  const complaint = (command: "serve" | "hash", ...args: string[]) => {
    try {
      readArgv(command, args)
    } catch (error) {
      expect(error).toBeInstanceOf(OperatorError)
      return `${(error as OperatorError).exitCode} ${(error as OperatorError).message}`
    }
    return "none"
  }

  test("name the flag", () => {
    expect([
      complaint("serve", "--enginee", "wasm"),
      complaint("serve", "-e"),
      complaint("serve", "--constructor"),
      complaint("serve", "--duration", "3"),
      complaint("serve", "--engine"),
      complaint("serve", "--engine", "--verbose"),
      complaint("serve", "wasm"),
      complaint("serve", "--", "--engine"),
      complaint("hash", "00"),
      complaint("hash", "00", "01", "02"),
    ]).toEqual([
      "64 unknown flag --enginee: see quantus-miner serve --help",
      "64 unknown flag -e: see quantus-miner serve --help",
      "64 unknown flag --constructor: see quantus-miner serve --help",
      "64 serve has no flag --duration: it belongs to benchmark",
      "64 --engine wants a value: --engine NAME",
      "64 --engine wants a value: --engine NAME",
      '64 serve takes flags only, not "wasm"',
      '64 serve takes flags only, not "--engine"',
      "64 hash takes HEADER NONCE or nothing, not 1 arguments",
      "64 hash takes HEADER NONCE or nothing, not 3 arguments",
    ])
  })
})

test("whatever stands there, it is read or complained about", () => {
  const words = fc.oneof(fc.string(), fc.constantFrom("--", "--url", "--verbose", "--engine", "=", "-", "yes"))
  fc.assert(
    fc.property(fc.array(words), args => {
      try {
        readArgv("serve", args)
      } catch (error) {
        expect(error).toBeInstanceOf(OperatorError)
      }
    }),
  )
})
