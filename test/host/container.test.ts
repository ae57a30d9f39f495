import { expect, test } from "bun:test"
import { isContainer } from "../../src/host/container.ts"

const only = (path: string) => (other: string) => path === other

test.each([
  ["Podman's and nspawn's variable", { container: "podman" }, ""],
  ["Kubernetes", { KUBERNETES_SERVICE_HOST: "10.96.0.1" }, ""],
  ["Podman's file", {}, "/run/.containerenv"],
  ["Docker's file", {}, "/.dockerenv"],
])("a container is recognized by %s", (_title, env, file) => {
  expect(isContainer(env, only(file))).toBe(true)
})

test("another process is in none", () => {
  expect(isContainer({ container: "", PATH: "/bin" }, () => false)).toBe(false)
})
