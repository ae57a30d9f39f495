import { expect, test } from "bun:test"
import { inodesOn } from "../../../src/host/linux/unreachable-peers.ts"

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  451: 0100007F:2669 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 401862 2 00000000 0
  452: 00000000:0035 0100007F:2669 07 00000000:00000000 00:00000000 00000000     0        0 401863 2 00000000 0
`

test("the sockets on a local port are found by their inodes", () => {
  expect(inodesOn(9833, TABLE)).toEqual(["socket:[401862]"])
  expect(inodesOn(53, TABLE)).toEqual(["socket:[401863]"])
  expect(inodesOn(3, TABLE)).toEqual([])
})
