/** Nonces whose hashes are known, for self-tests: a row of a plane and a range. */
import { planeBase, planeNonce } from "../kernel/nonce-plane.ts"
import { nonceAt } from "./threads/range.ts"

export interface KnownHashes {
  /** 32 bytes. */
  readonly header: Uint8Array
  /** 64 bytes: the plane's base, or a nonce whose last four bytes the range replaces. */
  readonly base: Uint8Array
  /** @returns 64 bytes, the nonce whose hash has the `i`-th top */
  nonce(i: number): Uint8Array
  /** The first 8 bytes of each hash, big-endian. */
  readonly tops: readonly bigint[]
}

/** Nonces of the row whose hashes are known; at least the row of any kernel. */
const ROW_NONCES = 288

/** Positions of the row and the range; the range ends near the maximum of its four bytes. */
export const ROW_AT = 0x2a5_1234
export const RANGE_AT = 0xffff_f04d

/**
 * The hashes' tops, the row's first, as little-endian words in Base64; `test/engines/self-test.test.ts` recomputes them by
 * the reference.
 */
const TOPS = words(`
vXrmn89tMpit6HgStXHXrkDStffUO05+ubRZpJk/3aW20g7Bdi268kFj/qejBIGrhAtP9vGgqLPvDxGsIMP9Lrt5L/DeuZ/+eLjTWYPzBr9HuM0dwNJ7kAeL
Zht6YEsmRAc8ZgY4JC1FDjwC6jJlVKAwpUw089LagQxlVt7g0FAWS8eyWMAC519mT/+ctHiKDifTvSuYIKrhfsGPNKIkSksC22TT27QK9PuqxTUdcuwdMWkw
FYC6kn3WDWDnFN2PHUHY4jnvMD9ulETTV5trNtwZtvUeHM9PxctYXWA4zY7nKpERjEqJbCk0tSz1Xpn5jXXLXOVuqf5HnPYJoY2BGVsWbl4Mjf6sKW56RbW/
t/DCOYTi05VpjVifSoTPGakX9wGvvhFcONxU6eT7XotsjWQ65zCO9vjmmJpcnb25fpN6Cs+Vn/qdTyVout+LIq8izpDt9RSIU0K+nDpGO8Ex7jh+fvkotM67
mzRhQEF+9mbKobumqG2YU6AawElVTxVVUu+aVA8sioGFOem3aNnStvVOnTW+3CAI2XDT4iJWyQm4ncyj/LdY8dn3AHUD7/frL63V5sJdjB2sjYEpLV9MYcmD
QPkyX/j8ofHqvMsbAJAedEMiLYA68qcNFxlI4C2IlhC6I+1jJjc0fph51H+HF2rkWsTkXr1Fu6AcT83idxa4RL1vogmi71pS9gClcxB2L2v7KixE571RDRSm
rLIGTYlYqyKGXUTotyNR9coqEPfjzs2bQMNcYzS1pJR8TQNlbWNQFtQA00Ua4L52FL4y+VZ4YMXNKbnaaNjxANLxOm0rqLt2wAlGYBg2V/9zgf12mSCjlB5B
iCVYEv1XzDp37atZHQTQVyzju3W1VZ6deRnRfGCn4X0b+ULMszuc3+pOSYlOf0HEV71EmxdeOuyUYo2g1Su6uoZ9t6q4QItrwfJziTp2qiDRr5Ac+/h+odDr
/UH9jhGjtegpw+qSbkOSGRVIilsqpmdPEgandBJQGAZg59Mr2BPsa3y6T0eDlxWag4PxiF5HuVuO/n5AL0fmykK5QaUcUIVanLAczzbAI/THBIWgCc6ApiE7
BuyMUgJOjGLCPkY9VCTc+Yi+dtXmJy7dVwi9imjfjJZenqRtwEOQYJSfeUSb5j7e01oio3OG+6Qtr1LMee0QNMhBmShs1gEQNQ1OkGZo1ZLNlCq5zVeV7RpT
h+I0f56VRs/VbCnAvYcg7nI6juXh6bPHZKgaSEXWJxqYL7VbNnFHx8gfVzN7fiNc4NHwJuhpdGKOxXtVwR+DOnJvkfRkit0pGz1NSCw9XDxZRYgI15dHeYI7
tJe8Uad2o5wol6erbbQsanP0tRGJKfNAZHiiQL6GSyoNE6OlsiLmg44d51W45OTr/ZKi3FYZAOvG3Lwxw28B1+8T3Z/7Z/fjKjcx0P9Cl4x7nzDQ/3/TNQKj
MLJ//ouXqwDIgohYzRBrAhCZxZEAvRtM1Jq0IOLlEbFocEPDffF+1Yzg67+unj9rpODUjRD6YVU7NhKtFEjcq6DgOai8GsCLnv1/Ivlylfr/JQketfRBeA4h
T8vQfuwcdSu8TyV4iYhS9MtLjBKfwSojLrPTrEIFt5PhpjY+9bAzYgOwJbC7IG2/ncd1Bg/KuZyR2gcSWEEKm2qMdxwOP5oVxE4Ej7S4IxiTWMd9KeE6paHR
MmTV5TH3ccQUunGEW/0WxOKJrmrf1BFZF2q1A64L3Xgp227zRpEA7UshWZPsEG2a1JX4AWw0nwnQJ/FNJeJVAxhG45Xe5OGlbR3omGyRItkZPkg4haJyNljG
GP55Rqc4FDyr6zkbtsQjlIdsSRPy0OHrgl02Exj250oInwYu5F7Uf9BsHt+exDkKRVjx02+cYnsD/QLu/geWm4iXXsY3aczUGig+PdBTbiJlIWS6V0eLufoM
YLH/oONqAp3u64xbIzlil65F8aP5fLih04TFSUP+plYiTsm11zZI0Lh++nldTZ24c37NX+DThjSP7ldXKTnsF4dRlpmPu8GdGhiLn+ZRVDy+M0WR+Urj+Nru
2V5WxuyFT3+m4n/JSYHyRbCIIMpYiTuqa4wMi7yMhaIYnHmSdcsz8CP13Mn4hwo9PlFaUQVsLXBfuLZ0KASZxzO/e9YlaIHXjZ/Wa3Tsr1nJCJZR6+NmBPoM
nQuSUZzzrj8WEEgOf+hnbXxuCHUeXHJT5PXkahtaHqFOFIw5r1dL27S02pRZdkozUsWwD0C+PSNtMcRViG1tUnegJoENZBsJgc31s42c1xa+OG7l1zc3LYKj
4VHJP6DrqU6vANe2JsIYAvI/5YQQ7fnrBqh7wNGx+5K89QLG/NWtBWOGQ4tkZFwSeDyyxuLMFfgZSiEjbjdc3ntTKmnW8tTspx/BYHmFYVBk8giBCKUrYvO1
If+NoxuFTQvdxZW9/WQ3GS5fhR6VykAZdqP1Y3RKPinvauhB7d3/2RUzTTy5q6PLdzk1fTR4NKq+oRWMk/CPj+3IGmdjaGIqizX1fr3anjdm2VAe9aHF0GOM
0J9jA03iSXxHLnGGhYfsVq6aMbStkLzUcz5HHCGk9IxE2yX2a3HgPg1wxqxLb7XrfeMspq5GXJKsViEhQW/rXc+4tinA1YVXqZGCphN6OWt19ApYhPsWW7wN
d+9Bf6j9aPOPNiDqj0YtB8k07jgHO5cq0vtdhPgVcEUXY1hbfqm0xxCLGi7K0L9VZaMBYKjOofIBqGoWKSA7HYe20wcVay4ISUoYwFcdd/xMqdQpqB/qtWHa
x8YAC77772rS0PJsRGoCF5Xi5V9AXYqLEUUyztdvxOK3fjHU6vCIKTCRWVNKfTyOIox7DavpPaB2Svrc9ouW0xB5JWx2At1HKD6wFkYT1MXWWZb8Z2pmeSod
c6umYAsy8DmmekiAuPux1hCxhwbqadUWgVWeMMU54pviAPLKwo/C2KzpHcNf5ed89mgJyapXy7jYuyPDFv13rU8iV8VlNxTu8f0VR1NAy13kuVtqgg0UebUs
zmjD6N2gHkQjTlaqjfSnieqcNJ6fKK4IVFxC/CgUKrJWQAa57TC+Vr18GkcrLPT6qW5cAhZo3WrPZJZqs0+x5FvLcPxk9YHyDiqXKwtK16oAt8crss2dNk6O
k3XLQYIf19uybkwkIy/x7OTeWc+ZtRQDOtoL7wyy3OoYby9H6Prb5Aiz1wZxcQEkWIrLJ/xcZx0Vp13nMUvlDFg3lSY56+35Jl/4KZ8iPNwIpdGD02riOQNG
axuLmbWHOoOa2ul4Bc/SF1FCXy2sEchC2sWu6F2y22z4sSqgk4a5o1nhdykwg6yXAyZv7Md84qHbzYvf0AMDPYxIrMdKY6eqd8amCIFgxXtrZUOEbeuM0w+i
uJuq85CkoS/dVIUl6DT6b0aNqOt/xrtxXG3j3NKQbavFI8i+FMk2cDvJicrcE6QXuZLGQrkHenP8lUz6/i+H4DcfBvwumNIgn2vK52KuURtM+5vSDE5J31GR
OA03FJnV2TbHEOvw1k7IX+UlceRXHDh9QN+or518V1Kj3BDhHVaUZxsVg2SjmozNMRHisdutuVZCk64j808Z7yaMn6ISWmfT+w2S4NHv3Esf9Z7AhCU4d/rv
59tDFuIFx7qLzOC8Q6rYUPNdvGAlYsca4LQw239fcLOZCHA6OxVpCW/wkj4b5yi/yiLR+l7jSJ/TV+fLW1aeNCqyfe9Fb3MVcZk+0LyCFZklXraXrgspVHyE
d3seYW8FYRF+g3R8FWK3r43WguaYLTPGZJ4=
`)

export const KNOWN_ROW: KnownHashes = row()
export const KNOWN_RANGE: KnownHashes = range()

function row(): KnownHashes {
  const { header, nonce } = sample(1)
  const base = planeBase(nonce)
  return { header, base, nonce: t1 => planeNonce(base, ROW_AT, t1), tops: TOPS.slice(0, ROW_NONCES) }
}

function range(): KnownHashes {
  const { header, nonce: base } = sample(2)
  base.fill(0, 60)
  return { header, base, nonce: i => nonceAt(base, RANGE_AT + i), tops: TOPS.slice(ROW_NONCES) }
}

function words(base64: string): bigint[] {
  return [...new BigUint64Array(Uint8Array.fromBase64(base64).buffer)]
}

/** A pseudorandom header and nonce, determined by the seed (SplitMix64's output function over a counter). */
function sample(seed: number): { header: Uint8Array; nonce: Uint8Array } {
  const words = BigUint64Array.from({ length: 12 }, (_, i) => {
    let z = BigInt.asUintN(64, (BigInt(seed) * 12n + BigInt(i) + 1n) * 0x9e3779b97f4a7c15n)
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
    return z ^ (z >> 31n)
  })
  const bytes = new Uint8Array(words.buffer)
  return { header: bytes.slice(0, 32), nonce: bytes.slice(32) }
}
