import { describe, expect, test } from 'vitest'
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
const [home, away, third] = ['eu-central-1', 'eu-west-1', 'eu-north-1']
const at = (seconds: number) => new Date(start.getTime() + seconds * 1000)
const mark = (token: string) => fingerprint('mdr-prod', new Redacted(token))
const taken = { epoch: 9, region: away }
const anew = { without: [], settled: false }
const down = new StoreError('UpdateItem failed with TimeoutError', 'retry')

type Document = Partial<Enrollment> & { readonly token: string }
interface Given {
  readonly own?: Document
  readonly theirs?: Document
  /** What the ledger of the region that has taken over knows, and that of the other. */
  readonly item?: { readonly [K in keyof LedgerItem]?: LedgerItem[K] | undefined }
  readonly other?: Partial<LedgerItem>
  /** A version of the other region's secret that is no more. */
  readonly former?: string
  readonly change?: (peer: Peer) => Partial<Peer>
  readonly ports?: Partial<Ports>
}

function encoded(versionId: string, { token, ...more }: Document): string {
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
async function begun(given: Given = {}) {
  const two = twoRegions()
  two.promote()
  two.home.secrets.clear(two.home.enrollment)
  const { own, theirs, other, former, item = {} } = given
  if (own) two.away.secrets.edit(two.away.enrollment, 'own', encoded('own', own))
  if (former) two.home.secrets.edit(two.home.enrollment, former, '{}')
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
function counted() {
  let asked = 0
  const read = () => {
    asked++
    return Promise.reject(down)
  }
  const change = ({ ledger }: Peer) => ({ ledger: { ...ledger, read } })
  return { change, asked: () => asked }
}
const own = { token: 'own-1' }
const theirs = { token: 'theirs-1' }
const spent = (...tokens: string[]) => ({ spent: tokens.map(mark) })

describe('a region that', () => {
  test('stands by reads nothing of what is held', async () => {
    const read = () => Promise.reject(down)
    const { ending } = await begun({
      item: { standing: { epoch: 9, region: home } },
      ports: { secrets: { ...twoRegions().away.ports.secrets, read } },
    })
    expect(ending).toMatchObject({ outcome: 'standby' })
  })

  test('knows that it is at work asks nobody', async () => {
    const { change, asked } = counted()
    const settled = await begun({ own, change, item: { takingOver: undefined } })
    expect(settled.token).toBe('own-1')
    expect(asked()).toBe(0)
  })

  test('does not know who is at work asks, and stands by if it is another', async () => {
    const unknown = { standing: undefined, takingOver: undefined }
    const other = { standing: { epoch: 12, region: third } }
    const { ending, item } = await begun({ own, item: unknown, other })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(other.standing)
  })

  test('holds a document of a later take-over stands by', async () => {
    const standing = { epoch: 10, region: home }
    const { ending, item } = await begun({ own: { ...own, standing } })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(standing)
  })

  test('is at work where nobody has enrolled yet holds nothing', async () => {
    const { result } = await begun({ item: { takingOver: undefined } })
    expect(result).toEqual({ found: undefined })
  })
})

describe('after a take-over', () => {
  test('the pair of the region that was at work is carried on with', async () => {
    const all = await begun({ own, theirs })
    expect(all.token).toBe('theirs-1')
    expect(all.item).not.toHaveProperty('takingOver')
    expect(all.item.intent).toBeUndefined()
    expect(all.there?.standing).toEqual(taken)
  })

  test('it is so although nothing is held here, or what is held is used up', async () => {
    expect((await begun({ theirs })).token).toBe('theirs-1')
    expect((await begun({ own, theirs, other: spent('own-1') })).token).toBe('theirs-1')
  })

  test('what is held here is carried on with, undoubted, if there is nothing there', async () => {
    const { token, item } = await begun({ own, other: spent('elsewhere') })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
    expect(item.spent).toEqual([mark('elsewhere')])
  })

  test('and if a person has enrolled here since, which no version there knows', async () => {
    const enrolled = { ...own, credentialId: 'enrolled-since' }
    expect((await begun({ own: enrolled, theirs })).token).toBe('own-1')
    expect((await begun({ own: enrolled, theirs, former: 'enrolled-since' })).token).toBe(
      'theirs-1',
    )
  })

  test('and if the pair there is used up and on record as the newest', async () => {
    const other = { ...spent('theirs-1'), versionId: 'theirs' }
    expect((await begun({ own, theirs, other })).token).toBe('own-1')
    const both = { ...other, ...spent('theirs-1', 'own-1') }
    expect((await begun({ own, theirs, other: both })).token).toBe('theirs-1')
  })

  test('a pair there that is used up and not the newest on record is waited for, five looks long', async () => {
    const other = { ...spent('theirs-1'), versionId: 'newer' }
    const { ending } = await begun({ own, theirs, other, item: { attempts: 4 } })
    expect(ending).toEqual({
      outcome: 'blocked',
      message: 'what eu-central-1 holds is not to be seen yet',
      dueAt: expect.any(Date),
    })
    const fifth = await begun({ own, theirs, other, item: { attempts: 5 } })
    expect(fifth.token).toBe('own-1')
  })

  test('but not if it was in doubt there: then nothing newer is to come', async () => {
    const intent = {
      ...{ grant: 'g', token: mark('theirs-1'), versionId: 'theirs', at: start },
      ...{ kind: 'first' as const, refused: false },
    }
    const other = { ...spent('theirs-1', 'own-1'), versionId: 'newer', intent }
    const { token, item } = await begun({ own, theirs, other })
    expect(token).toBe('theirs-1')
    expect(item.intent).toMatchObject({ kind: 'first', token: mark('theirs-1') })
  })

  test('and if a token enrolled here since is used up, the pair there is', async () => {
    const enrolled = { ...own, credentialId: 'enrolled-since' }
    expect((await begun({ own: enrolled, theirs, item: spent('own-1') })).token).toBe('theirs-1')
  })

  test('what has no refresh token is not used up', async () => {
    const tokens = {
      accessToken: new Redacted('access-9'),
      tokenType: 'Bearer',
      issuedAt: start,
      expiresAt: at(3600),
      grant: 'password',
    }
    const { result } = await begun({ own, theirs: { ...theirs, tokens } })
    expect(result).toMatchObject({ found: { current: { tokens: { grant: 'password' } } } })
  })

  test('what this very take-over has written is not written again, nor what is not there', async () => {
    const written = await begun({ own: { ...own, standing: taken }, other: {} })
    expect(written.result).toMatchObject({ found: { current: { versionId: 'own' } } })
    expect((await begun({ other: {} })).result).toEqual({ found: undefined })
  })

  test('nothing is doubted for a region that was at work itself', async () => {
    const takingOver = { ...anew, from: { epoch: 6, region: away } }
    const { token, item } = await begun({ own, other: {}, item: { takingOver } })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
  })

  test('what is held here waits, should its secret keep changing', async () => {
    const secrets = { ...twoRegions().away.secrets, put: async () => 'conflict' as const }
    const read = async (_id: string, versionId?: string) =>
      versionId === undefined ? { versionId: 'own', text: encoded('own', own) } : undefined
    const { ending } = await begun({ other: {}, ports: { secrets: { ...secrets, read } } })
    expect(ending).toMatchObject({ outcome: 'failed' })
  })

  test('a run at work there is waited for', async () => {
    const lease = { runId: 'theirs', expiresAt: at(120) }
    expect((await begun({ own, theirs, other: { lease } })).ending).toEqual({
      outcome: 'blocked',
      message: 'a run is at work in eu-central-1; what it gets is waited for',
      dueAt: at(120),
    })
  })

  test('a later take-over there is given way to', async () => {
    const standing = { epoch: 10, region: home }
    const { ending, item } = await begun({ own, theirs, other: { standing } })
    expect(ending).toMatchObject({ outcome: 'standby' })
    expect(item.standing).toEqual(standing)
  })

  test('who was at work before is taken from the other ledger, if it knows of a later one', async () => {
    const { item, token } = await begun({
      own,
      theirs,
      other: { standing: { epoch: 5, region: third } },
    })
    // That region is none of those that can be asked: what is held here may have been sent there.
    expect(token).toBe('own-1')
    expect(item.intent).toMatchObject({ token: mark('own-1'), grant: 'unknown' })
    const earlier = await begun({
      ...{ own, theirs, other: { standing: { epoch: 5, region: third } } },
      item: { takingOver: { ...anew, from: { epoch: 6, region: home } } },
    })
    expect(earlier.token).toBe('theirs-1')
    const mine = await begun({ own, theirs, other: { standing: { epoch: 5, region: away } } })
    expect(mine.token).toBe('theirs-1')
  })
})

describe('a region that was at work and cannot be reached', () => {
  const halfGone = ({ ledger }: Peer) => ({
    ledger: { ...ledger, write: () => Promise.reject(down) },
  })

  test('is asked thrice, a second apart; then what is held here is in doubt', async () => {
    const { change, asked } = counted()
    const { token, item, slept } = await begun({ own, theirs, change })
    expect([asked(), slept]).toEqual([3, [1, 1]])
    expect(token).toBe('own-1')
    expect(item.intent).toMatchObject({ token: mark('own-1'), kind: 'first', grant: 'unknown' })
    expect(item.takingOver).toEqual({
      from: { epoch: 0, region: home },
      without: [home],
      settled: true,
    })
  })

  test('is waited for, five looks long, if it answers some calls', async () => {
    const { ending } = await begun({ own, theirs, change: halfGone, item: { attempts: 4 } })
    expect(ending).toMatchObject({ outcome: 'blocked', dueAt: expect.any(Date) })
    const fifth = await begun({ own, theirs, change: halfGone, item: { attempts: 5 } })
    expect(fifth.token).toBe('own-1')
  })

  test('is not what one is whose client has a mistake', async () => {
    const broken = new RangeError('a mistake')
    const change = ({ ledger }: Peer) => ({
      ledger: { ...ledger, read: () => Promise.reject(broken) },
    })
    await expect(begun({ own, theirs, change })).rejects.toBe(broken)
  })

  test('is not doubted for again where one has gone on without it before', async () => {
    const takingOver = { without: [home], settled: false }
    const { token, item } = await begun({
      own,
      theirs,
      change: counted().change,
      item: { takingOver },
    })
    expect(token).toBe('own-1')
    expect(item.intent).toBeUndefined()
  })

  describe('and is back', () => {
    const takingOver = { without: [home], settled: true }
    const back = (given: Given) => begun({ ...given, item: { takingOver, ...given.item } })

    test('hears of it, while what is held here goes on if it is good', async () => {
      const { result, token, item, there } = await back({ own, theirs })
      expect(token).toBe('own-1')
      expect(result).toMatchObject({ found: { current: { versionId: 'own' } } })
      expect(item).not.toHaveProperty('takingOver')
      expect(there?.standing).toEqual(taken)
    })

    test('has its pair carried on with if what is held here is used up', async () => {
      const item = spent('own-1')
      expect((await back({ own, theirs, item })).token).toBe('theirs-1')
      const other = spent('theirs-1')
      expect((await back({ own, theirs, item, other })).token).toBe('own-1')
      const enrolled = { ...own, credentialId: 'enrolled-since' }
      expect((await back({ own: enrolled, theirs, item })).token).toBe('own-1')
    })

    test('does not stop what is good here while a run is at work there', async () => {
      const other = { lease: { runId: 'theirs', expiresAt: at(120) } }
      const { token, item } = await back({ own, theirs, other })
      expect(token).toBe('own-1')
      expect(item.takingOver).toMatchObject({ without: [home], settled: true })
      const halfBack = await back({ own, theirs, change: halfGone })
      expect(halfBack.token).toBe('own-1')
      const used = await back({ own, theirs, other, item: spent('own-1') })
      expect(used.ending).toMatchObject({ outcome: 'blocked' })
      const higher = { standing: { epoch: 10, region: home } }
      expect((await back({ own, theirs, other: higher })).ending).toMatchObject({
        outcome: 'standby',
      })
    })

    test('is not asked again once it has heard', async () => {
      const { change, asked } = counted()
      const heard = { takingOver: { without: [third], settled: true } }
      expect((await begun({ own, theirs, change, item: heard })).token).toBe('own-1')
      expect(asked()).toBe(0)
    })
  })
})
