/** The version in package.json. */
export { version } from "../package.json" with { type: "json" }
