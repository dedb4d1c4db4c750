import { begin } from '../../lib/core/begin.ts'
import { type Enrollment, encodeEnrollment } from '../../lib/core/documents.ts'
import { StoreError } from '../../lib/core/errors.ts'
import { fingerprint, type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import type { Peer, Regions } from '../../lib/core/ports.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Ports } from '../../lib/core/run.ts'
import { openRun } from './open-run.ts'
import { twoRegions } from './two-regions.ts'
import { start } from './world.ts'

const owner = { connection: 'mdr-prod', vendor: 'kaspersky-mdr' }
export const [home, away, third] = ['eu-central-1', 'eu-west-1', 'eu-north-1']
export const at = (seconds: number) => new Date(start.getTime() + seconds * 1000)
export const mark = (token: string) => fingerprint('mdr-prod', new Redacted(token))
export const taken = { epoch: 9, region: away }
export const anew = { without: [], settled: false }
export const down = new StoreError('UpdateItem failed with TimeoutError', 'retry')

type Document = Partial<Enrollment> & { readonly token: string }
export interface Given {
  readonly own?: Document
  readonly theirs?: Document
  /** What the ledger of the region that has taken over knows, and that of the other. */
  readonly item?: { readonly [K in keyof LedgerItem]?: LedgerItem[K] | undefined }
  readonly other?: Partial<LedgerItem>
  /** A version of the own secret that is not the current one. */
  readonly aside?: Document
  /** Versions that credentials were written in, here or in the other region, in the order of time. */
  readonly credentials?: readonly (readonly ['here' | 'there', string])[]
  readonly change?: (peer: Peer) => Partial<Peer>
  readonly ports?: Partial<Ports>
}

export function encoded(versionId: string, { token, ...more }: Document): string {
  const tokens = {
    accessToken: new Redacted(`access-of-${token}`),
    tokenType: 'Bearer',
    issuedAt: start,
    expiresAt: at(3600),
    refreshToken: new Redacted(token),
    grant: 'refresh_token',
  }
  const fixed = { credential: {}, credentialId: 'enrolled', superseded: [], fence: 1 }
  return encodeEnrollment({ versionId, tokens, ...fixed, ...more }, owner)
}

/** How a run begins in the region `away`, by default just after a take-over from `home`. */
export async function begun(given: Given = {}) {
  const two = twoRegions()
  two.promote()
  two.home.secrets.clear(two.home.enrollment)
  const { own, aside, theirs, other, credentials = [], item = {} } = given
  for (const [where, versionId] of credentials) {
    const { secrets, enrollment } = where === 'here' ? two.away : two.home
    secrets.edit(enrollment, versionId, '{}')
  }
  if (own) two.away.secrets.edit(two.away.enrollment, 'own', encoded('own', own))
  if (aside) {
    const version = { versionId: 'aside', text: encoded('aside', aside) }
    await two.away.secrets.put(two.away.enrollment, version, 'pending')
  }
  if (theirs) two.home.secrets.edit(two.home.enrollment, 'theirs', encoded('theirs', theirs))
  if (other) two.home.ledger.items.set('mdr-prod', { ...newItem(owner, start), ...other })
  const slept: number[] = []
  const [peer] = two.away.ports.regions.peers as [Peer]
  const regions: Regions = {
    ...two.away.ports.regions,
    peers: [{ ...peer, ...given.change?.(peer) }],
  }
  const { connection, vendor } = two.home
  const clock = { now: two.clock.now, sleep: async (seconds: number) => void slept.push(seconds) }
  const ports = { ...two.away.ports, regions, ...given.ports }
  const context = await openRun(
    { connection, vendor, ports },
    { item: { standing: taken, takingOver: anew, ...item } as Partial<LedgerItem> },
  )
  Object.assign(context, { ports: { ...ports, clock } })
  const result = await begin(context)
  const held = 'found' in result ? result.found?.current : undefined
  return {
    result,
    ending: 'ending' in result ? result.ending : undefined,
    token: held?.tokens.refreshToken?.reveal(),
    item: context.ledger.item,
    there: two.home.ledger.items.get('mdr-prod'),
    slept,
  }
}

/** A region whose ledger does not answer, and how often it was asked. */
export function counted() {
  let asked = 0
  const read = () => {
    asked++
    return Promise.reject(down)
  }
  const change = ({ ledger }: Peer) => ({ ledger: { ...ledger, read } })
  return { change, asked: () => asked }
}

export const own = { token: 'own-1' }
export const theirs = { token: 'theirs-1' }
export const spent = (...tokens: string[]) => ({ spent: tokens.map(mark) })
