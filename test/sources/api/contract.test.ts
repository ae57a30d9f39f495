import { describeContract } from "../contract.ts"
import { ApiPeer } from "./api-peer.ts"

describeContract("The HTTP job API", async () => new ApiPeer(), {
  reject: "nobody judges its seals",
  drop: "it has no connection of its own",
  unanswered: "it has no connection of its own",
  reconnect: "it has no connection of its own",
})
