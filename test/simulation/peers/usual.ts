import {
  decodeEnrollment,
  type Enrollment,
  encodeEnrollment,
  enrollmentSecretId,
} from '../../../lib/core/documents.ts'
import { GrantRefusedError } from '../../../lib/core/errors.ts'
import { defaultTimings, renewAt } from '../../../lib/core/renewal.ts'
import type { HeldTokens, TokenSet, Vendor } from '../../../lib/core/vendor.ts'
import type { Contender, Hands, Site } from './contender.ts'

// What the six models do alike, and as well as such programs do it: none of it is what they are compared by.

/** Seconds that an HTTP client waits for a vendor, usually. */
const patienceSeconds = 30

/** How often an AWS client tries one call, unless it is told otherwise. */
export const usualTries = 3

const everything = 'everything'

/** What a model gives up when the vendor says no. */
export type GivesUp =
  /** The version that it has read; a version that somebody else has written since is tried as usual. */
  | 'the version'
  /** The connection: under its lock nobody else can have been faster, so it believes. */
  | 'the connection'

/** Where a model keeps its one document, from which readers are served as well. */
export interface Keeper {
  readonly read: () => Promise<Enrollment | undefined>
  readonly write: (document: Enrollment) => Promise<void>
}

/** The document is the secret's current version; whoever writes last, wins. */
export function secretKeeper(site: Site, { ports }: Hands): Keeper {
  const { connection, vendor } = site
  const secretId = enrollmentSecretId(connection.id)
  return {
    async read() {
      const stored = await ports.secrets.read(secretId)
      return stored === undefined ? undefined : decodeEnrollment(stored.text, stored.versionId)
    },
    async write(document) {
      const text = encodeEnrollment(document, { connection: connection.id, vendor: vendor.id })
      const version = { versionId: document.versionId, text }
      await ports.secrets.put(secretId, version, 'current')
    },
  }
}

/** Reads, asks the vendor if it is time, and stores what it gives. */
export async function renew(
  site: Site,
  hands: Hands,
  keeper: Keeper,
  givesUp: GivesUp = 'the version',
): Promise<void> {
  const held = await keeper.read()
  if (held === undefined || !isDue(site, held.tokens, hands)) return
  const tokens = await obtain(site, hands, held, givesUp)
  if (tokens !== undefined) await keeper.write(following(site, held, tokens))
}

export function isDue({ connection }: Site, tokens: HeldTokens, { ports }: Hands): boolean {
  return renewAt(connection, tokens, defaultTimings) <= ports.clock.now()
}

export function following(site: Site, held: Enrollment, tokens: TokenSet): Enrollment {
  return { ...held, versionId: site.newId(), tokens }
}

/**
 * Asks the vendor. Told no, it gives up and asks for a person, and presents nothing until they came.
 *
 * @param vendor the vendor, or something around it
 * @throws {AnyRotatorError} of the vendor's call; the next invocation tries again
 */
export async function obtain(
  site: Site,
  hands: Hands,
  held: Enrollment,
  givesUp: GivesUp = 'the version',
  vendor: Vendor = site.vendor,
): Promise<TokenSet | undefined> {
  const { ports } = hands
  const givenUp = await ports.parameters.read(givenUpName(site))
  if (givenUp === held.versionId || givenUp === everything) return undefined
  const now = ports.clock.now()
  const client = ports.connect(site.connection, vendor, held)
  const grant = client.grants.find(({ usable }) => usable(held.tokens, now))
  try {
    if (grant === undefined) throw new GrantRefusedError('nothing to present', { reason: 'none' })
    return await grant.request(held.tokens, { now, timeoutSeconds: patienceSeconds, known: {} })
  } catch (error) {
    if (!(error instanceof GrantRefusedError)) throw error
    const what = givesUp === 'the version' ? held.versionId : everything
    await ports.parameters.write(givenUpName(site), what)
    return undefined
  }
}

/** Stores what the vendor's console gave. */
export async function enrollInto(
  site: Site,
  { ports }: Hands,
  keeper: Keeper,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  await keeper.write(decodeEnrollment(JSON.stringify(fields), site.newId()))
  await ports.parameters.remove(givenUpName(site))
}

/** What is seen of a model from outside, by the text and the id of its document. */
export function outside(
  site: Site,
  current: () => { readonly text: string; readonly versionId: string } | undefined,
): Pick<Contender, 'dueAt' | 'served' | 'asks'> {
  let seen: { versionId: string; accessToken: string | undefined; dueAt: number } | undefined
  const document = () => {
    const now = current()
    if (now !== undefined && seen?.versionId !== now.versionId) {
      const { tokens } = decodeEnrollment(now.text, now.versionId)
      seen = {
        versionId: now.versionId,
        accessToken: tokens.accessToken?.reveal(),
        dueAt: renewAt(site.connection, tokens, defaultTimings).getTime(),
      }
    }
    return now === undefined ? undefined : seen
  }
  const asks = () => {
    const givenUp = site.cloud.parameters.get(givenUpName(site))
    return givenUp !== undefined && (givenUp === everything || givenUp === document()?.versionId)
  }
  return {
    asks,
    served: () => document()?.accessToken,
    dueAt: () =>
      asks() ? Number.POSITIVE_INFINITY : (document()?.dueAt ?? Number.POSITIVE_INFINITY),
  }
}

/** The same for a model whose document is the secret. */
export function secretFromOutside(
  site: Site,
): Pick<Contender, 'dueAt' | 'served' | 'asks' | 'stored'> {
  const secret = site.cloud.secret(enrollmentSecretId(site.connection.id))
  return {
    ...outside(site, () => secret.read(undefined, site.timeline.now())),
    stored: () => [...secret.versions.values()].map(({ text }) => text),
  }
}

/** Where a model puts down what it has given up. */
function givenUpName({ connection }: Site): string {
  return `/peer/${connection.id}/given-up`
}
