import { Secret, TOTP } from 'otpauth'
import * as v from 'valibot'
import { ConfigError, TransportError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import type { Credential, Grant, HeldTokens, Http } from '../core/vendor.ts'
import {
  clientAccessSeconds,
  readLogin,
  readMint,
  readPair,
  userAccessSeconds,
} from './code42-incydr-answers.ts'

const Text = v.pipe(
  v.string('allowed is text'),
  v.regex(/^\P{Cc}+$/u, 'allowed is text without line breaks and control characters'),
)
// RFC 7617, section 2: the first colon ends the name.
const Name = v.pipe(Text, v.excludes(':', 'allowed is text without a colon'))
const SecretText = v.pipe(
  Text,
  v.transform((text) => new Redacted(text)),
)
const Seed = v.pipe(
  v.string('allowed is text'),
  v.transform((text) => text.replace(/[\s-]/g, '')),
  v.regex(
    /^[A-Z2-7]{16,}=*$/i,
    'allowed is the Base32 seed of the authenticator (16 or more of A-Z and 2-7), not one of its codes',
  ),
  v.transform((text) => new Redacted(text)),
)

/** The options that are of use to one flow alone. */
export interface FlowOptions {
  readonly url: string
  readonly consoleUrl?: string | undefined
  readonly userTokenPath?: string | undefined
  readonly refreshUrl?: string | undefined
  readonly accessLifetimeSeconds?: number | undefined
}
type OwnOption = Exclude<keyof FlowOptions, 'url'>

/** One way to obtain tokens: its own options, and its grant. */
export interface Flow {
  readonly spends: 'nothing' | 'refresh-token'
  readonly accessSeconds: (options: FlowOptions) => number
  readonly needs: readonly OwnOption[]
  readonly takes: readonly OwnOption[]
  /** @throws {ConfigError} a credential of the wrong shape */
  readonly grant: (options: FlowOptions, credential: Credential, http: Http) => Grant
}

/** `POST /v1/oauth`, as the vendor's SDK sends it: Basic, no body, no content type, no grant_type. */
const apiClient: Flow = {
  spends: 'nothing',
  accessSeconds: () => clientAccessSeconds,
  needs: [],
  takes: [],
  grant({ url }, credential, http) {
    const { clientId, clientSecret } = read(
      v.object({ clientId: Name, clientSecret: SecretText }),
      credential,
    )
    return {
      name: 'client_credentials',
      spends: 'nothing',
      keeps: 'nothing',
      usable: () => true,
      async request(_held, { now, timeoutSeconds }) {
        const answer = await http.request({
          name: 'v1/oauth',
          method: 'POST',
          url: `${new URL(url).origin}/v1/oauth`,
          headers: { authorization: basic(clientId, clientSecret) },
          timeoutSeconds,
        })
        return readMint(answer, now)
      },
    }
  },
}

const codePeriodSeconds = 30

/**
 * `GET /api/v3/auth/jwt`, with a one-time code where a seed is enrolled (RFC 6238: SHA-1, 6 digits,
 * 30 s). A code is sent once: its step is announced in the ledger before the request leaves. Two
 * connections must not share an account, as neither knows of the other's codes.
 */
const userToken: Flow = {
  spends: 'nothing',
  accessSeconds: () => userAccessSeconds,
  needs: ['consoleUrl'],
  takes: ['userTokenPath'],
  grant({ consoleUrl = '', userTokenPath = '/api/v3/auth/jwt' }, credential, http) {
    const { username, password, totpSecret } = read(
      v.object({ username: Name, password: SecretText, totpSecret: v.optional(Seed) }),
      credential,
    )
    const step = (now: Date) =>
      String(TOTP.counter({ timestamp: now.getTime(), period: codePeriodSeconds }))
    return {
      name: 'user_token',
      spends: 'nothing',
      keeps: 'nothing',
      usable: () => true,
      ...(totpSecret !== undefined && { announces: ({ now }) => ({ totpStep: step(now) }) }),
      async request(_held, { now, timeoutSeconds, known }) {
        if (totpSecret !== undefined && known.totpStep === step(now)) {
          throw new TransportError(
            `the one-time code of these ${codePeriodSeconds} s has been sent before; nothing was sent, the next tick sends the next one`,
            'no',
          )
        }
        const answer = await http.request({
          name: 'auth/jwt',
          method: 'GET',
          // Without useBody the token comes back in a cookie, which the vendor does not support.
          url: `${new URL(consoleUrl).origin}${userTokenPath}?useBody=true`,
          headers: {
            authorization: basic(username, password),
            ...(totpSecret === undefined ? {} : { 'totp-auth': oneTimeCode(totpSecret, now) }),
          },
          timeoutSeconds,
        })
        return readLogin(answer, now, totpSecret !== undefined)
      },
    }
  },
}

/** A refresh token in, a pair out, as `RefreshTokenAuth` of the vendor's SDK 2.8.1 has it. */
const refreshPair: Flow = {
  spends: 'refresh-token',
  accessSeconds: ({ accessLifetimeSeconds }) => accessLifetimeSeconds ?? userAccessSeconds,
  needs: ['refreshUrl'],
  takes: ['accessLifetimeSeconds'],
  grant: ({ refreshUrl = '' }, _credential, http) => ({
    name: 'refresh_token',
    spends: 'refresh-token',
    usable: hasRefreshToken,
    async request(held, { now, timeoutSeconds }) {
      // JSON and no Authorization: departs from the form of RFC 6749, section 6.
      const json = { refreshToken: held.refreshToken?.reveal() }
      const name = 'the refresh URL'
      const answer = await http.request({
        name,
        method: 'POST',
        url: refreshUrl,
        json,
        timeoutSeconds,
      })
      return readPair(answer, now)
    },
  }),
}

/** By the name that the option `flow` gives. */
export const flows = {
  'api-client': apiClient,
  'user-token': userToken,
  'refresh-pair': refreshPair,
} as const satisfies Readonly<Record<string, Flow>>

function read<S extends v.ObjectSchema<v.ObjectEntries, undefined>>(
  schema: S,
  credential: Credential,
): v.InferOutput<S> {
  const decoded = v.safeParse(schema, credential)
  if (decoded.success) return decoded.output
  const [issue] = decoded.issues
  const field = v.getDotPath(issue) ?? 'credential'
  const fields = Object.keys(schema.entries).join(', ')
  throw new ConfigError(
    field,
    issue.input === undefined
      ? `is not enrolled; this flow takes ${fields}`
      : `has the wrong shape; ${issue.message}`,
  )
}

function basic(name: string, secret: Redacted): string {
  return `Basic ${Buffer.from(`${name}:${secret.reveal()}`, 'utf8').toString('base64')}`
}

function oneTimeCode(seed: Redacted, now: Date): string {
  const secret = Secret.fromBase32(seed.reveal())
  return new TOTP({ secret, period: codePeriodSeconds }).generate({ timestamp: now.getTime() })
}

/** Sent only while it can be alive: a token that has certainly run out is not spent for nothing. */
function hasRefreshToken({ refreshToken, refreshExpiresAt }: HeldTokens, now: Date): boolean {
  return refreshToken !== undefined && (refreshExpiresAt === undefined || refreshExpiresAt > now)
}
