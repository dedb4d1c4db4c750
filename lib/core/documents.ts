import * as v from 'valibot'
import { ConfigError } from './errors.ts'
import { Redacted } from './redacted.ts'
import type { Standing } from './standing.ts'
import type { Credential, HeldTokens, RefreshOnly, TokenSet } from './vendor.ts'

/** Name of the secret with the credentials and the held pair. Only the rotator reads it. */
export function enrollmentSecretId(connection: string): string {
  return `token-rotator/${connection}/enrollment`
}

/** Name of the secret that workloads read. */
export function consumerSecretId(connection: string): string {
  return `token-rotator/${connection}/access-token`
}

/** Name of the ledger table; like the secrets' names it is fixed, so that commands find it. */
export const ledgerTableName = 'token-rotator-ledger'

/** Its local index: a vendor's connections by when they are due. */
export const dueIndex = 'due'

const Instant = v.pipe(
  v.string(),
  v.isoTimestamp('allowed is an ISO 8601 instant'),
  v.transform((text) => new Date(text)),
)
const Token = v.pipe(
  v.string(),
  v.trim(),
  v.nonEmpty('allowed is a non-empty string'),
  v.regex(/^[\x21-\x7e]+$/, 'allowed are printable ASCII characters without spaces'),
  v.transform((text) => new Redacted(text)),
)
const Facts = v.record(v.string(), v.string())

const tokenEntries = {
  accessToken: v.optional(Token),
  tokenType: v.optional(v.string()),
  issuedAt: v.optional(Instant),
  expiresAt: v.optional(v.nullable(Instant)),
  refreshToken: v.optional(Token),
  refreshExpiresAt: v.optional(Instant),
  refreshesLeft: v.optional(v.number()),
  grant: v.optional(v.string()),
  renewAt: v.optional(Instant),
  facts: v.optional(Facts),
}
const tokenNames = Object.keys(tokenEntries) as (keyof HeldTokens)[]
const Tokens = v.object(tokenEntries)
type StoredTokens = v.InferOutput<typeof Tokens>

const Enrollment = v.looseObject({
  schema: v.optional(v.literal(1)),
  connection: v.optional(v.string()),
  vendor: v.optional(v.string()),
  ...tokenEntries,
  /** Version id under which the rotator wrote this; any other id means that a person edited it. */
  writtenAs: v.optional(v.string()),
  credentialId: v.optional(v.string()),
  fence: v.optional(v.number()),
  /** Which region was at work when it was written, and since which take-over; absent before the first. */
  epoch: v.optional(v.number()),
  home: v.optional(v.string()),
  superseded: v.optional(v.array(Tokens)),
})

/**
 * What one version of the enrollment secret says. The JSON is flat: the credential fields an operator
 * enrolls (`username`, `clientSecret`, …) stand beside the held pair (`accessToken`, `refreshToken`, …).
 */
export interface Enrollment {
  readonly versionId: string
  /** The enrolled fields beside the refresh token. */
  readonly credential: Credential
  /** Version in which a person last changed the credential: a refusal stands until this changes. */
  readonly credentialId: string
  readonly tokens: HeldTokens
  /** Token sets whose sessions are still to be ended at the vendor. */
  readonly superseded: readonly TokenSet[]
  /** Fence of the run that wrote it; absent if a person did. */
  readonly fence?: number
  /** The region at work when it was written; absent before the first take-over. */
  readonly standing?: Standing
}

/**
 * @param text the secret's string
 * @throws {ConfigError} not JSON, or a field of the wrong shape; names the field, never its value
 */
export function decodeEnrollment(text: string, versionId: string): Enrollment {
  const decoded = v.safeParse(Enrollment, parseJson('enrollment secret', text))
  if (!decoded.success) {
    const issue = decoded.issues[0]
    const field = v.getDotPath(issue) ?? 'enrollment secret'
    const allowed = issue.message.startsWith('allowed')
      ? issue.message
      : `allowed is ${issue.expected}`
    throw new ConfigError(field, `has the wrong shape; ${allowed}`)
  }
  const {
    schema: _,
    connection: __,
    vendor: ___,
    writtenAs,
    credentialId,
    fence,
    epoch,
    home,
    superseded,
    ...rest
  } = decoded.output
  const { tokens, credential } = split(rest)
  const standing =
    epoch === undefined || home === undefined ? {} : { standing: { epoch, region: home } }
  if (writtenAs !== versionId) {
    // A person wrote this. Whatever instants and access token stand beside the refresh token may be
    // left over from the version they edited, so only what a person can know is believed.
    const byHand = tokens.refreshToken === undefined ? {} : { refreshToken: tokens.refreshToken }
    const edited = { credential, credentialId: versionId, tokens: byHand, superseded: [] }
    return { versionId, ...edited, ...standing }
  }
  return {
    versionId,
    credential,
    credentialId: credentialId ?? versionId,
    tokens,
    superseded: (superseded ?? []).map(present).filter(isTokenSet),
    ...(fence === undefined ? {} : { fence }),
    ...standing,
  }
}

/** The inverse: deterministic, so that repeating a write is a repeat and not a conflict. */
export function encodeEnrollment(
  enrollment: Enrollment,
  owner: { connection: string; vendor: string },
): string {
  const { versionId, credential, credentialId, tokens, superseded, fence, standing } = enrollment
  return JSON.stringify({
    schema: 1,
    ...owner,
    ...credential,
    ...plain(tokens),
    ...(superseded.length === 0 ? {} : { superseded: superseded.map(plain) }),
    credentialId,
    fence,
    ...(standing === undefined ? {} : { epoch: standing.epoch, home: standing.region }),
    writtenAs: versionId,
  })
}

/** A pair on its way to Secrets Manager, as it waits in the escrow. */
export interface Escrowed {
  /** The enrollment version from which the pair was obtained. */
  readonly basedOn: string
  readonly tokens: Issued
  readonly superseded: readonly TokenSet[]
}

const EscrowDocument = v.object({
  schema: v.literal(1),
  basedOn: v.string(),
  tokens: Tokens,
  superseded: v.array(Tokens),
})

export function encodeEscrow({ basedOn, tokens, superseded }: Escrowed): string {
  return JSON.stringify({
    schema: 1,
    basedOn,
    tokens: plain(tokens),
    superseded: superseded.map(plain),
  })
}

/** @throws {ConfigError} not a document that the rotator wrote */
export function decodeEscrow(text: string): Escrowed {
  const decoded = v.safeParse(EscrowDocument, parseJson('escrow', text))
  const tokens = decoded.success ? present(decoded.output.tokens) : {}
  if (!decoded.success || !isIssued(tokens)) {
    throw new ConfigError('escrow', 'is not a document of the rotator')
  }
  const superseded = decoded.output.superseded.map(present).filter(isTokenSet)
  return { basedOn: decoded.output.basedOn, tokens, superseded }
}

/** What a workload reads: stable, versioned, documented in the README. Holds no refresh token. */
export function encodeConsumer(
  owner: { connection: string; vendor: string; url: string },
  tokens: TokenSet,
  headers: Readonly<Record<string, string>>,
): string {
  return JSON.stringify({
    schema: 1,
    connection: owner.connection,
    vendor: owner.vendor,
    base_url: owner.url,
    token_type: tokens.tokenType,
    access_token: tokens.accessToken.reveal(),
    headers,
    issued_at: tokens.issuedAt.toISOString(),
    ...(tokens.expiresAt === null
      ? { expires_at: null, kept_alive: true }
      : { expires_at: tokens.expiresAt.toISOString() }),
  })
}

const ConsumerDocument = v.object({
  schema: v.literal(1),
  token_type: v.string(),
  access_token: Token,
  issued_at: Instant,
  expires_at: v.nullable(Instant),
})

/**
 * The token of a consumer document, as far as one can tell from it.
 *
 * @throws {ConfigError} not a document that the rotator wrote
 */
export function decodeConsumer(text: string): TokenSet {
  const decoded = v.safeParse(ConsumerDocument, parseJson('consumer secret', text))
  if (!decoded.success) throw new ConfigError('consumer secret', 'is not a document of the rotator')
  const { access_token, token_type, issued_at, expires_at } = decoded.output
  return {
    accessToken: access_token,
    tokenType: token_type,
    issuedAt: issued_at,
    expiresAt: expires_at,
    grant: 'published',
  }
}

/** What a vendor has given, in contrast to what a person has enrolled: a whole set, or a refresh token alone. */
export type Issued = TokenSet | RefreshOnly

export function isIssued(tokens: HeldTokens): tokens is Issued {
  const isRefreshOnly = tokens.issuedAt !== undefined && tokens.refreshToken !== undefined
  return isTokenSet(tokens) || isRefreshOnly
}

/** Whether a held set has all that a consumer document needs. */
export function isTokenSet(tokens: HeldTokens): tokens is TokenSet {
  return (
    tokens.accessToken !== undefined &&
    tokens.tokenType !== undefined &&
    tokens.issuedAt !== undefined &&
    tokens.expiresAt !== undefined &&
    tokens.grant !== undefined
  )
}

function parseJson(what: string, text: string): unknown {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new ConfigError(what, 'is not JSON; allowed is a JSON object of credential fields')
  }
  if (Array.isArray(json)) {
    throw new ConfigError(what, 'is a list; allowed is a JSON object of credential fields')
  }
  return json
}

/** What of a document is the held pair, and what the enrolled credential. */
function split(document: Record<string, unknown> & StoredTokens) {
  const entries = Object.entries(document)
  const isHeld = ([key]: [string, unknown]) => Object.hasOwn(tokenEntries, key)
  return {
    tokens: Object.fromEntries(entries.filter(isHeld)) as HeldTokens,
    credential: Object.fromEntries(entries.filter((entry) => !isHeld(entry))),
  }
}

function present(tokens: StoredTokens): HeldTokens {
  return Object.fromEntries(Object.entries(tokens).filter(([, value]) => value !== undefined))
}

/** Ready for `JSON.stringify`, which leaves out what is undefined. */
function plain(tokens: HeldTokens): Record<string, unknown> {
  return Object.fromEntries(
    tokenNames.map((name) => {
      const value = tokens[name]
      return [name, value instanceof Redacted ? value.reveal() : value]
    }),
  )
}
