/**
 * Runs an independent disassembler, if one is installed.
 */

/** @returns `llvm-mc` or the newest `llvm-mc-NN` in the path; undefined if neither is installed */
export function disassembler(): string | undefined {
  const names = ["llvm-mc", ...Array.from({ length: 12 }, (_, i) => `llvm-mc-${25 - i}`)]
  return names.find(name => Bun.which(name) !== null)
}

/** @returns one line of Intel syntax per instruction @throws Error with the tool's message if it cannot read all of them */
export function disassemble(tool: string, codes: readonly (readonly number[])[]): string[] {
  const run = Bun.spawnSync(
    [
      tool,
      "--disassemble",
      "--triple=x86_64",
      "--output-asm-variant=1",
      "--mattr=+avx512f,+avx512ifma,+avx512vl,+avx512bw,+adx,+bmi,+bmi2",
    ],
    {
      // In brackets, each instruction is read alone: a wrong length does not affect the next one.
      stdin: Buffer.from(codes.map(code => `[${code.map(byte => `0x${byte.toString(16)}`).join(" ")}]`).join("\n")),
      stderr: "pipe",
    },
  )
  const lines = run.stdout
    .toString()
    .split("\n")
    .map(line => line.replace(/#.*/, "").trim())
    .filter(line => line && !line.startsWith("."))
  if (lines.length !== codes.length)
    throw new Error(`${tool} read ${lines.length} of ${codes.length} instructions:\n${run.stderr}`)
  return lines
}
