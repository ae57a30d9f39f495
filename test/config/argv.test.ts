import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { readArgv } from "../../src/config/argv.ts"
import { OperatorError } from "../../src/errors.ts"

const texts = (args: string[]) =>
  Object.fromEntries([...readArgv("serve", args).given].map(([name, { text }]) => [name, text]))

test("a value follows its flag or an equals sign", () => {
  expect(texts(["--cpu-workers", "2", "--engine=wasm"])).toEqual({ cpuWorkers: "2", engine: "wasm" })
  expect(texts(["--password=a=b"])).toEqual({ password: "a=b" })
  expect(texts(["--engine="])).toEqual({ engine: "" })
})

test("an alias sets the same option", () => {
  expect(texts(["--workers", "3"])).toEqual({ cpuWorkers: "3" })
})

test("a boolean accepts an optional value", () => {
  expect(texts(["--verbose"])).toEqual({ verbose: "true" })
  expect(texts(["--verbose", "no", "--engine", "wasm"])).toEqual({ verbose: "no", engine: "wasm" })
  expect(texts(["--verbose", "--keep-mining=0"])).toEqual({ verbose: "true", keepMining: "0" })
})

test("URLs can be repeated, other flags cannot", () => {
  expect(texts(["--url", "quic://a", "--url=quic://b,quic://c"])).toEqual({ url: "quic://a,quic://b,quic://c" })
  expect(() => texts(["--engine", "wasm", "--engine", "wasm"])).toThrow("--engine is specified twice")
  expect(() => texts(["--cpu-workers", "1", "--workers", "1"])).toThrow("--workers is specified twice")
})

describe("errors", () => {
  const errorOf = (command: "serve" | "hash", ...args: string[]) => {
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
      errorOf("serve", "--enginee", "wasm"),
      errorOf("serve", "-e"),
      errorOf("serve", "--constructor"),
      errorOf("serve", "--duration", "3"),
      errorOf("serve", "--engine"),
      errorOf("serve", "--engine", "--verbose"),
      errorOf("serve", "wasm"),
      errorOf("serve", "--", "--engine"),
      errorOf("hash", "00"),
      errorOf("hash", "00", "01", "02"),
    ]).toEqual([
      "64 unknown flag --enginee: see quantus-miner serve --help",
      "64 unknown flag -e: see quantus-miner serve --help",
      "64 unknown flag --constructor: see quantus-miner serve --help",
      "64 serve has no flag --duration: it is a flag of benchmark",
      "64 --engine requires a value: --engine NAME",
      "64 --engine requires a value: --engine NAME",
      '64 serve accepts flags only, not "wasm"',
      '64 serve accepts flags only, not "--engine"',
      "64 hash accepts HEADER NONCE or no arguments, not 1",
      "64 hash accepts HEADER NONCE or no arguments, not 3",
    ])
  })
})

test("any arguments are parsed or rejected with an OperatorError", () => {
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
