import { Secret, TOTP, URI } from 'otpauth'
import * as v from 'valibot'
import { ConfigError, GrantRefusedError, ResponseError, TransportError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import type { Call, Credential, HttpAnswer } from '../core/vendor.ts'
import {
  asSession,
  failure,
  HeaderToken,
  isError,
  methods,
  nameOf,
  type Rpc,
} from './kaspersky-security-center-rpc.ts'

const Text = v.pipe(v.string('allowed is text'), v.nonEmpty('allowed is text'))
/** Goes between quotes as it is: whether a domain is to be Base64 is unsettled, so only plain names do. */
export const Domain = v.pipe(
  v.string(),
  v.regex(/^[\w.-]{1,255}$/, 'allowed are letters, digits, dots, dashes and underscores'),
)

const Enrolled = v.object({
  username: Text,
  password: v.pipe(
    Text,
    v.transform((text) => new Redacted(text)),
  ),
  totpSecret: v.optional(
    v.pipe(
      v.string('allowed is text'),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        const totp = totpOf(dataset.value)
        if (totp !== undefined) return totp
        addIssue({ message: 'allowed is the seed in Base32, or its otpauth://totp URI' })
        return NEVER
      }),
    ),
  ),
  domain: v.optional(Domain),
  // Typed at a prompt it is text.
  internal: v.optional(
    v.pipe(
      v.union([v.boolean(), v.picklist(['true', 'false'])], 'allowed is true or false'),
      v.transform((value) => value === true || value === 'true'),
    ),
  ),
})

/** Who logs in, and how. */
export interface Account {
  readonly username: string
  readonly password: Redacted
  /** Makes the codes of the second factor, if its seed is enrolled. */
  readonly totp?: TOTP | undefined
  /** Where the account belongs; without a domain it is internal unless said otherwise. */
  readonly internal: boolean
  readonly domain?: string | undefined
}

/** @throws {ConfigError} a field of the wrong shape, or one that contradicts the configuration */
export function decodeAccount(
  credential: Credential,
  configured: { internal?: boolean | undefined; domain?: string | undefined },
): Account {
  const decoded = v.safeParse(Enrolled, credential)
  if (!decoded.success) {
    const issue = decoded.issues[0]
    throw new ConfigError(
      v.getDotPath(issue) ?? 'credential',
      issue.input === undefined
        ? 'is not enrolled; allowed is text'
        : `has the wrong shape; ${issue.message}`,
    )
  }
  const { username, password, totpSecret: totp, ...enrolled } = decoded.output
  const domain = agreed('domain', configured.domain, enrolled.domain)
  const internal = agreed('internal', configured.internal, enrolled.internal)
  if (internal === true && domain !== undefined) {
    throw new ConfigError('internal', 'found true beside a domain; allowed is one of the two')
  }
  return { username, password, totp, domain, internal: internal ?? domain === undefined }
}

function agreed<T>(field: string, configured: T | undefined, enrolled: T | undefined) {
  if (configured !== undefined && enrolled !== undefined && configured !== enrolled) {
    throw new ConfigError(field, 'differs between configuration and enrollment secret')
  }
  return configured ?? enrolled
}

/** SHA-1, six digits and 30 seconds unless a URI says otherwise (RFC 6238). */
function totpOf(seed: string): TOTP | undefined {
  try {
    if (!seed.startsWith('otpauth:')) {
      return new TOTP({ secret: Secret.fromBase32(seed.replace(/[\s-]/g, '').toUpperCase()) })
    }
    const parsed = URI.parse(seed)
    return parsed instanceof TOTP ? parsed : undefined
  } catch {
    return undefined
  }
}

/**
 * The half minute of the code that a login would send, if the account has one. It must be on record
 * before the login begins: a code that is sent again is refused, and a refusal lasts.
 */
export function stepOf({ totp }: Account, { now }: Pick<Call, 'now'>): string | undefined {
  return totp?.counter({ timestamp: now.getTime() }).toString()
}

/**
 * `Session.StartSession` with KSCBasic, and KSCMFA if the server asks for it. Both halves are sent
 * once; a session left half open by a failure is ended.
 *
 * @returns how to log in, which gives a session of the primary server
 *
 * @see https://support.kaspersky.com/help/KSC/13.1/KSCAPI/a00390.html the second factor
 */
export function createLogin(rpc: Rpc, account: Account, virtualServer: string | undefined) {
  const { totp } = account
  const where: Record<string, string> =
    virtualServer === undefined ? {} : { 'X-KSC-VServer': base64(virtualServer) }

  async function secondFactor(
    { type, session }: Challenge,
    step: string | undefined,
    { status }: HttpAnswer,
    call: Call,
  ): Promise<Redacted> {
    if (type === 'totpreg') {
      throw new GrantRefusedError(
        'the account must register a second factor first, at the console; then enroll it anew with its totpSecret, or exempt it from two-step verification',
        { reason: 'totp_registration_required', status },
      )
    }
    if (type !== 'totp' || totp === undefined || step === undefined) {
      throw new GrantRefusedError(
        'the account asks for a one-time code; enroll its totpSecret, or exempt it from two-step verification',
        { reason: 'second_factor_required', status },
      )
    }
    if (session === undefined) {
      throw new ResponseError('a second factor was asked for without a session to give it to', {
        status,
      })
    }
    const code = totp.generate({ timestamp: call.now.getTime() })
    const headers = { ...where, ...asSession(session), authorization: `KSCMFA totp="${code}"` }
    const result = await rpc(methods.finishSession, {}, headers, call)
    if (result.is === 'done') return result.value ?? session
    if (result.is === 'failed') throw failure(result.error, 'the second factor')
    throw new GrantRefusedError(
      'the server refused the one-time code; compare its clock and the enrolled totpSecret',
      { reason: 'invalid_totp', status: result.answer.status },
    )
  }

  return async (call: Call): Promise<Redacted> => {
    const step = stepOf(account, call)
    if (step !== undefined && call.known.totpStep === step) {
      // Before the first half, so that nothing is left half open.
      throw new TransportError(
        'the one-time code of this half minute has been used; nothing was sent, the next tick has another',
        'no',
      )
    }
    const headers = { ...where, authorization: basic(account) }
    const result = await rpc(methods.startSession, {}, headers, call)
    if (result.is === 'done') return result.value
    if (result.is === 'failed') {
      if (!refusals.some((known) => isError(result.error, known)))
        throw failure(result.error, 'the login')
      throw new GrantRefusedError(`the server refused the login with ${nameOf(result.error)}`, {
        reason: 'invalid_credentials',
        status: 200,
      })
    }
    const { answer } = result
    const challenge = challengeOf(answer)
    if (challenge === undefined) {
      throw new GrantRefusedError(
        'the server refused user name and password; they are not sent again, for ten wrong ones lock the account for an hour',
        { reason: 'invalid_credentials', status: answer.status },
      )
    }
    try {
      return await secondFactor(challenge, step, answer, call)
    } catch (error) {
      const { session } = challenge
      if (session !== undefined) {
        await rpc(methods.endSession, {}, asSession(session), call).catch(() => undefined)
      }
      throw error
    }
  }
}

/** Access denied, not permitted, internal logon failed, web token refused: the account's own doing. */
const refusals = ['KLSTD 1184', 'KLSTD 1193', 'KLWAT 1453', 'KLWAT 1454']

interface Challenge {
  readonly type: string | undefined
  /** The session that exists already, half open. */
  readonly session?: Redacted | undefined
}

/** What a 401 asks for beside the password; nothing if it is a plain refusal. */
function challengeOf({ headers }: HttpAnswer): Challenge | undefined {
  const asked = headers['www-authenticate'] ?? ''
  if (!/\bKSCMFA\b/i.test(asked)) return undefined
  const session = v.safeParse(HeaderToken, headers['x-ksc-session'])
  return {
    type: /\btype="?(\w+)/i.exec(asked)?.[1]?.toLowerCase(),
    session: session.success ? session.output : undefined,
  }
}

function basic({ username, password, domain, internal }: Account): string {
  return [
    `KSCBasic user="${base64(username)}"`,
    `pass="${base64(password.reveal())}"`,
    ...(domain === undefined ? [] : [`domain="${domain}"`]),
    `internal="${internal ? 1 : 0}"`,
  ].join(', ')
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}
