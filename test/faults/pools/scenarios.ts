/** What pools do, by the item of the miner's promises that each scenario is about (docs/sources.md). */
import { type Answer, DIFFICULTY, type Script, type Send, targetHex } from "./scripted-pool.ts"

export interface Scenario {
  readonly title: string
  readonly script: Script
  /** Shares that the pool must have counted before the scenario ends. */
  readonly shares?: number
  /** Milliseconds from the first connection to the fallback's job; the fallback must accept a share. */
  readonly fallbackWithin?: number
  /** The scenario ends with this line of the log. */
  readonly ends?: RegExp
  /** Lines that the log must contain, and must not contain. */
  readonly says?: readonly RegExp[]
  readonly neverSays?: RegExp
  readonly logins?: { readonly min?: number; readonly max: number }
  /** The first job id and session id of a share, as JSON. */
  readonly jobId?: string
  readonly session?: string
  /** Milliseconds after the first connection before which the scenario does not end. */
  readonly lastsMs?: number
  readonly keepalives?: number
  /** The scenario ends with a share that came twice and counts once. */
  readonly resent?: boolean
  /** No fallback is configured. */
  readonly alone?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Takes half a minute or more, up to six. */
  readonly slow?: boolean
}

const DECIMAL = String(DIFFICULTY)

const job = (id: unknown = "1", more: object = {}) => ({
  job_id: id,
  mining_hash: `$header:${id}`,
  extranonce: "00000001",
  difficulty: DECIMAL,
  ...more,
})

/** A JSON line; `"$id"` in quotes becomes the request's id in its own type. */
const json = (message: object): string => JSON.stringify(message).replaceAll('"$id"', "$id")
const say = (message: object, more: Partial<Send> = {}): Send => ({ line: json(message), ...more })
const loggedIn = (result: object = { job: job() }, more: object = {}): Send =>
  say({ id: "$id", jsonrpc: "2.0", error: null, result: { id: "s", status: "OK", ...result }, ...more })
const newJob = (params: object | null, more: Partial<Send> = {}): Send => say({ method: "job", params }, more)
const accept = (message: object = { id: "$id", error: null, result: { status: "OK" } }): Answer => ({
  counts: true,
  send: [say(message)],
})
const refuse = (error: unknown): Answer => ({ counts: false, send: [say({ id: "$id", result: null, error })] })
const ACCEPT = accept()
/** No answer, and nothing counted. */
const IGNORED: Answer = { counts: false, send: [] }
const GOOD: Script = { login: [[loggedIn()]], share: [[ACCEPT]] }

const text = (line: string, more: Partial<Send> = {}): Send => ({ line, ...more })

const HIGH = 400_000n

/** Few shares in half a minute. */
const SLOW = 100_000n
const SLOW_JOB = job("1", { difficulty: String(SLOW) })

/** So rare that the shares of a silence of 30 s fit the queue of held ones. */
const RARE = 1_000_000n

/** No share in any time. */
const NEVER = 10n ** 15n

/** Any number of shares is mined and counted; no fallback, one login. */
const mines = (title: string, script: Partial<Script>, more: Partial<Scenario> = {}): Scenario => ({
  title,
  script: { ...GOOD, ...script },
  shares: 3,
  logins: { max: 1 },
  neverSays: /counts as down|was rejected|lost/,
  ...more,
})

/** The pool cannot be mined for; the fallback takes over. */
const fails = (title: string, script: Partial<Script>, more: Partial<Scenario> = {}): Scenario => ({
  title,
  script: { ...GOOD, ...script },
  fallbackWithin: 15_000,
  logins: { max: 4 },
  ...more,
})

export const SCENARIOS: readonly Scenario[] = [
  mines("1 answers carry the id as text", {
    login: [
      [text(json({ id: "$id", error: null, result: { id: "s", status: "OK", job: job() } }).replace("$id", '"1"'))],
    ],
    share: [[{ counts: true, send: [text('{"id":"$id","error":null,"result":{"status":"OK"}}')] }]],
  }),
  mines("1 answers carry no id", {
    login: [[say({ error: null, result: { id: "s", status: "OK", job: job() } })]],
    share: [[accept({ error: null, result: true })]],
  }),
  mines("1 the job comes before the answer to the login, alone", {
    login: [[newJob(job()), { ...loggedIn({ job: undefined }), after: 300 }]],
  }),
  mines("1 the job comes before the answer to the login, in one packet", {
    login: [[text(`${json({ method: "job", params: job() })}\n${loggedIn({}).line!}`)]],
  }),
  mines("1 the job comes on connecting, before the login", {
    connect: [[newJob(job())]],
    login: [[{ ...loggedIn({}), after: 200 }]],
  }),
  mines(
    "1 no status, numeric session and job ids",
    { login: [[say({ id: "$id", result: { id: 77, job: job(12) } })]] },
    { jobId: "12", session: "77" },
  ),
  mines(
    "1 ids beyond 2^53 keep their digits",
    {
      login: [
        [
          text(
            '{"id":$id,"result":{"id":12345678901234567890,"job":{"job_id":98765432109876543210,"mining_hash":"$header:98765432109876543210","extranonce":"00000001","difficulty":5000}}}',
          ),
        ],
      ],
    },
    { jobId: "98765432109876543210", session: "12345678901234567890" },
  ),
  mines(
    "1 an empty job id, no session id",
    { login: [[say({ id: "$id", result: { status: "OK", job: { ...job(""), seq: "?" } } })]] },
    { jobId: '""' },
  ),
  mines("1 several messages on a line, in lists, one behind the other", {
    login: [[text(`${loggedIn({ job: null }).line!}${newJob([job()]).line!}\r`)]],
    share: [[{ counts: true, send: [text('[{"id":$id,"result":[true],"error":null}]\0')] }]],
  }),
  mines("1 difficulty notifications and null parameters beside jobs", {
    login: [
      [
        loggedIn(),
        say({ id: null, method: "mining.set_difficulty", params: [1] }),
        say({ id: null, method: "job", params: null }),
        say({ id: 99, result: { status: "KEEPALIVED" }, error: null }),
      ],
    ],
  }),
  mines(
    "1 the extranonce changes with the next job, and comes with the login",
    {
      login: [
        [
          loggedIn({ extranonce: "0x0a0b", job: job("1", { extranonce: undefined }) }),
          newJob(job("2", { extranonce: "0x0C0D0E" }), { after: 1500 }),
        ],
      ],
      extranonce: { 1: "0a0b", 2: "0c0d0e" },
    },
    { lastsMs: 2500 },
  ),
  mines(
    "1 seq begins again",
    {
      login: [
        [
          loggedIn({ job: job("1", { seq: 900 }) }),
          ...["2", "3", "4"].map((id, i) => newJob(job(id, { seq: i + 1 }), { after: 300 })),
        ],
      ],
      share: [[ACCEPT]],
    },
    { ends: /the seal of 4 by .* was accepted/, says: [/began again: 3 follows 900/] },
  ),
  fails(
    "2 a difficulty that is a list of numbers beyond 2^53",
    {
      login: [
        [
          text(
            '{"id":$id,"result":{"id":"s","job":{"job_id":"1","mining_hash":"$header:1","difficulty":[98765432109876543210]}}}',
          ),
        ],
      ],
    },
    { logins: { max: 1 }, says: [/difficulty: .*98765432109876543210/] },
  ),
  mines("1 one byte at a time", { login: [[{ ...loggedIn(), piece: 1 }]] }),
  mines("1 CRLF, extra fields, duplicate keys", {
    login: [
      [
        text(
          `{"id":0,"id":$id,"x":[[{}]],"result":{"id":"s","status":"OK","job":${JSON.stringify(job())},"new":{"a":[1]}}}\r`,
        ),
      ],
    ],
  }),
  mines("2 target decides, difficulty is a fraction of it", {
    login: [[loggedIn({ job: job("1", { difficulty: 4980.5, target: targetHex(DIFFICULTY) }) })]],
  }),
  mines("2 target with 0x and upper case, no difficulty", {
    login: [
      [loggedIn({ job: job("1", { difficulty: undefined, target: `0x${targetHex(DIFFICULTY).toUpperCase()}` }) })],
    ],
  }),
  mines("2 difficulty in exponent form, a target of 8 digits", {
    login: [[loggedIn({ job: job("1", { difficulty: "5.0e3", target: "285c8f00" }) })]],
  }),
  fails(
    "2 neither target nor difficulty can be read",
    { login: [[loggedIn({ job: job("1", { difficulty: "NaN", target: "285c8f00" }) })]] },
    { logins: { max: 1 }, says: [/difficulty.*NaN.*285c8f00/] },
  ),
  fails(
    "2 difficulty and target disagree",
    { login: [[loggedIn({ job: job("1", { difficulty: 2500, target: targetHex(DIFFICULTY) }) })]] },
    { logins: { max: 1 }, says: [/difficulty and target disagree: 2500/] },
  ),
  mines("3 an empty error beside a result", {
    login: [[loggedIn({ job: job() }, { error: [] })]],
    share: [
      [
        accept({ id: "$id", error: [], result: true }),
        accept({ id: "$id", error: "", result: { status: "OK" } }),
        accept({ id: "$id", error: { code: 0, message: "" }, result: "OK" }),
      ],
    ],
  }),
  mines("4 a BOM", { login: [[text(`\ufeff${loggedIn().line!}`)]] }),
  mines(
    "4 one unreadable line in a session",
    { login: [[loggedIn(), text("\u0007MAINTENANCE at noon", { after: 200 }), newJob(job("2"), { after: 300 })]] },
    { lastsMs: 1500, says: [/unreadable line of the pool: MAINTENANCE at noon/] },
  ),
  fails(
    "4 a proxy's HTML page",
    { login: [[text("<html><body>502 Bad Gateway</body></html>")]] },
    {
      says: [/does not speak Stratum, it sent: <html>/],
    },
  ),
  fails(
    "4 three unreadable lines in a row",
    { login: [[loggedIn(), text("a\nb\nc", { after: 500 })]], share: [[IGNORED]] },
    {},
  ),
  mines("5 keepalived is not sent unless it was announced", {}, { slow: true, lastsMs: 35_000, keepalives: 0 }),
  mines(
    "5 keepalived is refused",
    {
      login: [[loggedIn({ job: job(), extensions: ["keepalive"] })]],
      keepalive: [say({ id: "$id", error: { code: -1, message: "unknown method" } })],
    },
    { slow: true, ends: /rejected keepalived/, keepalives: 1 },
  ),
  mines(
    "6 the session ends, a login on the same connection mends it",
    { login: [[loggedIn()], [loggedIn()]], share: [[refuse({ code: 25, message: "Unauthenticated" })], [ACCEPT]] },
    { logins: { min: 2, max: 2 }, says: [/logging in again/] },
  ),
  fails(
    "6 the session ends again and again",
    { share: [[refuse({ code: 25, message: "Unauthenticated" })]] },
    {
      logins: { min: 3, max: 3 },
      says: [/counts as down: the pool no longer accepts this login: Unauthenticated/],
    },
  ),
  fails(
    "6 every share is refused",
    { share: [[refuse({ code: 1, message: "banned" })]] },
    {
      logins: { max: 1 },
      says: [/counts as down: the pool refused 5 shares in a row: banned/],
    },
  ),
  fails("6 a login is refused by a ban, and the service continues", {
    login: [[say({ id: "$id", error: { code: -1, message: "your IP is banned for 10 minutes" } })]],
  }),
  {
    title: "7 silence after a share: reconnected, the share is sent again and counts once",
    script: {
      login: [[loggedIn({ job: job("1", { difficulty: String(RARE) }) })]],
      share: [[{ counts: true, send: [] }], [ACCEPT]],
      difficulty: { 1: RARE },
    },
    says: [/the pool is silent: no byte for 30 s after a share/],
    neverSays: /counts as down|was rejected|did not answer/,
    resent: true,
    slow: true,
    logins: { min: 2, max: 2 },
  },
  fails(
    "7 silence again",
    { login: [[loggedIn({ job: SLOW_JOB })]], share: [[IGNORED]], difficulty: { 1: SLOW } },
    {
      slow: true,
      fallbackWithin: 90_000,
      logins: { min: 2, max: 2 },
      says: [/counts as down: the pool is silent/],
    },
  ),
  fails(
    "7 a pool that says nothing more after its first jobs",
    {
      login: [
        [
          loggedIn({ job: job("1", { difficulty: String(NEVER) }) }),
          ...["2", "3", "4"].map(id => newJob(job(id, { difficulty: String(NEVER) }), { after: 1000 })),
        ],
      ],
    },
    {
      slow: true,
      fallbackWithin: 200_000,
      logins: { min: 2, max: 2 },
      says: [/the pool is silent: no byte for \d+ s; next attempt/, /counts as down: the pool is silent: no byte for/],
    },
  ),
  {
    title: "8 a job is withdrawn, and its source takes over again with the next",
    script: {
      login: [[loggedIn(), newJob({ job: null }, { after: 2000 }), newJob(job("2"), { after: 9000 })]],
      share: [[ACCEPT]],
    },
    fallbackWithin: 12_000,
    ends: /the seal of 2 by .* was accepted/,
    logins: { max: 1 },
  },
  fails("8 a pool without a job", { login: [[loggedIn({ job: null })]] }, { logins: { max: 1 } }),
  fails(
    "9 a pool that closes 0.3 s after its job",
    { login: [[loggedIn(), { after: 300, close: true }]], share: [[IGNORED]] },
    {
      logins: { max: 5 },
    },
  ),
  {
    title: "10 held shares are void when the job returns with a higher difficulty",
    script: {
      login: [
        [loggedIn(), { after: 1000, close: true }],
        [{ ...loggedIn({ job: job("1", { difficulty: String(HIGH) }) }), after: 2000 }],
      ],
      share: [[ACCEPT]],
      difficulties: [DIFFICULTY, HIGH],
    },
    ends: /with a higher difficulty: \d+ held seals below it were discarded/,
    logins: { min: 2, max: 2 },
    alone: true,
  },
  {
    title: "11 a miner without a job says so",
    script: { login: [[loggedIn({ job: null })]] },
    alone: true,
    slow: true,
    ends: /idle for 6\d s: no job from stratum/,
    logins: { max: 1 },
  },
  {
    title: "11 a miner whose shares a talking pool never answers says so",
    script: {
      login: [[loggedIn({ job: SLOW_JOB }), ...Array<Send>(80).fill(newJob(SLOW_JOB, { after: 5000 }))]],
      share: [[IGNORED]],
      difficulty: { 1: SLOW },
    },
    alone: true,
    slow: true,
    ends: /no share accepted by stratum\S+ for 3\d\d s: \d+\.\d were expected/,
    neverSays: /counts as down|was rejected/,
    logins: { max: 1 },
  },
  {
    title: "11 --max-job-age ends the search of a job that nothing replaced",
    script: GOOD,
    alone: true,
    env: { MINER_MAX_JOB_AGE: "3" },
    ends: /1 ended, .*has sent no newer job for 3 s/,
    logins: { max: 1 },
  },
]
