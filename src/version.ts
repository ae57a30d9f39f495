/** The version, from the one place that has it. */
export { version } from "../package.json" with { type: "json" }
