import { describeContract } from "../contract.ts"
import { ApiPeer } from "./api-peer.ts"

describeContract("The HTTP job API", async () => new ApiPeer(), {
  reject: "its seals receive no verdict from a peer",
  drop: "it opens no connection",
  unanswered: "it opens no connection",
  reconnect: "it opens no connection",
})
