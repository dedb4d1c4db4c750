import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'

const Instant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((text) => new Date(text)),
)

const Document = v.object({
  schema: v.literal(1),
  connection: v.string(),
  vendor: v.string(),
  base_url: v.string(),
  token_type: v.string(),
  access_token: v.string(),
  headers: v.record(v.string(), v.string()),
  issued_at: Instant,
  expires_at: v.nullable(Instant),
})

/** A consumer secret, read. */
export interface AccessToken {
  readonly connection: string
  readonly vendor: string
  /** Origin of the vendor's API. */
  readonly baseUrl: string
  /** Send these with every call; nothing else of the token is needed. */
  readonly headers: Readonly<Record<string, string>>
  readonly issuedAt: Date
  /** `null`: kept alive by the rotator; use it until it is refused, then read again. */
  readonly expiresAt: Date | null
}

/** There is no token yet, or the secret holds something else. The message names the secret, never its value. */
export class TokenUnavailableError extends Error {
  override readonly name = 'TokenUnavailableError'
}

export interface TokenSourceOptions {
  /** Secrets Manager client; by default one from the standard `AWS_*` environment. */
  readonly client?: Pick<SecretsManagerClient, 'send'>
  /** How long a token is served from memory, in seconds; 60 by default, 0 reads every time. */
  readonly cacheSeconds?: number
  /** The clock; the system's by default. */
  readonly now?: () => Date
}

/** Gives the current access token of one connection. */
export interface TokenSource {
  /**
   * The current token: from memory while it is fresh, else read once, however many ask meanwhile. The last
   * one is served on while the secret cannot be read, up to five seconds before its end.
   *
   * @throws {TokenUnavailableError}
   */
  readonly getToken: () => Promise<AccessToken>
  /**
   * Calls with the current token. If the vendor answers 401 or 403, the secret is read again, and if
   * it has a newer token the call is made once more with that.
   */
  readonly withToken: <T extends { readonly status: number }>(
    call: (token: AccessToken) => Promise<T>,
  ) => Promise<T>
}

// A token this near its end may not survive the way to the vendor.
const nearEndSeconds = 5

/**
 * Reads a connection's consumer secret, for workloads.
 *
 * @param connection id of the connection; its secret is `token-rotator/<connection>/access-token`
 */
export function createTokenSource(
  connection: string,
  options: TokenSourceOptions = {},
): TokenSource {
  const {
    client = new SecretsManagerClient({}),
    cacheSeconds = 60,
    now = () => new Date(),
  } = options
  const secretId = `token-rotator/${connection}/access-token`
  let cached: { token: AccessToken; until: number; end: number } | undefined
  let inFlight: Promise<AccessToken> | undefined

  const read = async (): Promise<AccessToken> => {
    const token = await readToken(client, secretId)
    const expiresAt = token.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    const end = expiresAt - nearEndSeconds * 1000
    const until = Math.min(now().getTime() + cacheSeconds * 1000, end)
    cached = { token, until, end }
    return token
  }
  const reread = () => {
    inFlight ??= read().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }
  const getToken = async () => {
    if (cached !== undefined && now().getTime() < cached.until) return cached.token
    try {
      return await reread()
    } catch (error) {
      // A secret that cannot be read for now is no reason to stop while the last token lives.
      if (cached !== undefined && now().getTime() < cached.end) return cached.token
      throw error
    }
  }

  return {
    getToken,
    async withToken(call) {
      const token = await getToken()
      const answer = await call(token)
      if (answer.status !== 401 && answer.status !== 403) return answer
      const newer = await reread()
      const isSame = JSON.stringify(newer.headers) === JSON.stringify(token.headers)
      return isSame ? answer : call(newer)
    },
  }
}

async function readToken(
  client: Pick<SecretsManagerClient, 'send'>,
  secretId: string,
): Promise<AccessToken> {
  let text: string | undefined
  try {
    text = (await client.send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString
  } catch (error) {
    if ((error as Error).name !== 'ResourceNotFoundException') throw error
    throw new TokenUnavailableError(`the secret ${secretId} has no value yet`)
  }
  const found = v.safeParse(v.pipe(v.string(), v.parseJson(), Document), text)
  if (!found.success) {
    throw new TokenUnavailableError(`the secret ${secretId} does not hold a consumer document`)
  }
  const { base_url, issued_at, expires_at, headers, vendor, connection } = found.output
  return {
    connection,
    vendor,
    baseUrl: base_url,
    headers,
    issuedAt: issued_at,
    expiresAt: expires_at,
  }
}
