import type { Connection } from './connection.ts'
import { consumerSecretId } from './documents.ts'
import type { Cause } from './incident.ts'
import type { LedgerItem } from './ledger.ts'
import type { Vendor } from './vendor.ts'

/** What a person is told, a line each. */
export interface Words {
  /** Which connection, and what is the matter with it. */
  readonly headline: string
  /** Why. */
  readonly happened: string
  /** Who reads the secret, and until when the token that they hold lives. */
  readonly reach: string
  /** What to do, its steps numbered. */
  readonly todo: string
}

interface Concerned {
  readonly connection: Pick<Connection, 'id' | 'readers'>
  readonly vendor: Pick<Vendor, 'title' | 'enrollmentSteps'>
}

const headlines: Readonly<Record<Cause, string>> = {
  'token-at-risk': 'a refresh token was sent and its answer is missing',
  'enrollment-required': 'a person has to enroll it again',
  configuration: 'something is not configured as it must be',
  'verify-failed': 'the vendor hands out tokens that do not work',
  'version-budget': 'Secrets Manager takes no more versions for now',
  'refresh-token-expiring': 'renewal fails and the refresh token is running out',
  'freshness-at-risk': 'renewal fails and the published token is nearly out',
  'certificate-expiring': 'a certificate is about to end',
  'stood-down': 'another region has taken over, and this one renews no more',
  'region-unreachable': 'another region gives no leave to send the refresh token',
}

/** The steps of a cause in order: at the vendor's console, then ours. */
export function stepsFor(cause: Cause, { connection, vendor }: Concerned): string[] {
  const command = (name: string) => `run: token-rotator ${name}`
  const enroll = [...vendor.enrollmentSteps, command(`enroll ${connection.id}`)]
  const rotate = command(`rotate ${connection.id}`)
  const status = command('status')
  switch (cause) {
    case 'enrollment-required':
      return enroll
    case 'token-at-risk':
      return [
        'wait if you can: shortly before the published token is out, the refresh token is sent once more, and often that is all; to be safe at once, or if readers are without a token already, go on',
        ...enroll,
      ]
    case 'configuration':
      return [
        'if what is named above is an option, correct it in the list of connections and deploy (npx cdk deploy); if it is a field of the credential, go on',
        ...enroll,
      ]
    case 'refresh-token-expiring':
      return [
        'see that the vendor can be reached from where the function runs and is not in maintenance; once it answers, the next tick renews and nothing else is to be done',
        'if it will not answer before the refresh token ends, go on',
        ...enroll,
      ]
    case 'certificate-expiring':
      return [
        "if it is the server's certificate, have it renewed and put its pin or authority into tls of the connection before; if it is the client's, go on",
        ...enroll,
      ]
    case 'stood-down':
      return [
        'have readers of this region read in the region named above: what is published here runs out',
        `to bring the work back, in this region ${command(`take-over ${connection.id}`)}`,
      ]
    case 'region-unreachable':
      return [
        'see whether the region named above is down, or only not to be reached from the function; once it answers, the next tick renews and nothing else is to be done',
        `if it stays away, in this region ${command(`take-over ${connection.id}`)}`,
        status,
      ]
    case 'freshness-at-risk':
      return [
        'see that the vendor can be reached from where the function runs and is not in maintenance',
        'look for the reason in the log of the function, in the lines with level WARN',
        status,
        `when the vendor answers again the next tick renews by itself; to have it at once, ${rotate}`,
      ]
    case 'verify-failed':
      return [
        'see at the vendor whether the account behind this credential may still call its API, and whether the configured address is that of the right tenant or device',
        status,
        `when that is mended, ${rotate}; if it cannot be for this credential, go on`,
        ...enroll,
      ]
    case 'version-budget':
      return [
        'nothing, if readers also read the parameter that stands in; else have them do so until a version ages out',
        'see who writes this secret more often than the rotator does, and whether renew.everySeconds can be longer',
        status,
      ]
  }
}

/** What a person is told of a cause. */
export function wordsFor(
  cause: Cause,
  concerned: Concerned,
  { published }: Pick<LedgerItem, 'published'>,
  message: string | undefined,
  now: Date,
): Words {
  const { connection, vendor } = concerned
  const { id, readers = [] } = connection
  const who = readers.length === 0 ? 'whoever has been granted it' : readers.join(', ')
  const steps = stepsFor(cause, concerned).map((step, index) => `(${index + 1}) ${step}`)
  return {
    headline: line(`${id} (${vendor.title}): ${headlines[cause]}.`),
    happened: line(`What happened: ${message ?? headlines[cause]}.`),
    reach: line(
      `Who is concerned: the secret ${consumerSecretId(id)} is read by ${who}. ${lifeOf(published, now)}`,
    ),
    todo: line(`What to do: ${steps.join('; ')}.`),
  }
}

function lifeOf(published: LedgerItem['published'], now: Date): string {
  if (published === undefined) return 'It has never held a token.'
  const { expiresAt } = published
  if (expiresAt === null)
    return 'Its session has no end of its own and dies if it is not kept alive.'
  const instant = expiresAt.toISOString()
  if (expiresAt <= now) return `The token in it has been dead since ${instant}.`
  const minutes = Math.floor((expiresAt.getTime() - now.getTime()) / 60_000)
  return `The token in it lives until ${instant}, for ${minutes} more ${minutes === 1 ? 'minute' : 'minutes'}.`
}

/** Fit to stand between double quotation marks on one line: EventBridge escapes nothing there. */
function line(text: string): string {
  return text.replaceAll('"', "'").replace(/[\s\p{Cc}\\]+/gu, ' ')
}
