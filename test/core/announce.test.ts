import { describe, expect, test } from 'vitest'
import { askLeave, lookAround, write } from '../../lib/core/announce.ts'
import { StoreError } from '../../lib/core/errors.ts'
import { type LedgerItem, newItem } from '../../lib/core/ledger.ts'
import type { Peer } from '../../lib/core/ports.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { openRun } from './open-run.ts'
import { twoRegions } from './two-regions.ts'
import { mdrWorld, start } from './world.ts'

const owner = { vendor: 'kaspersky-mdr', connection: 'mdr-prod' }
const [home, away, third] = ['eu-central-1', 'eu-west-1', 'eu-north-1']
const mine = { epoch: 9, region: away }
const higher = { epoch: 10, region: third }
const down = new StoreError('UpdateItem failed with TimeoutError', 'retry')
const broken = new RangeError('a mistake in a client')
const sending = { token: 'token-1', kind: 'first', versionId: 'version-1' } as const
const longest = new Date(start.getTime() + Math.max(...defaultTimings.backoffSeconds) * 1000)

interface Given {
  readonly item?: Partial<LedgerItem>
  readonly other?: Partial<LedgerItem> | undefined
  /** What stands in the other region's secret. */
  readonly document?: string
  readonly change?: (peer: Peer) => Partial<Peer['ledger']>
}

/** A run in the region `away`, at work, and the ledger of `home`. */
async function opened({ item = {}, other, document, change }: Given = {}) {
  const two = twoRegions()
  two.home.secrets.clear(two.home.enrollment)
  if (document !== undefined) two.home.secrets.edit(two.home.enrollment, 'v', document)
  if (other) two.home.ledger.items.set('mdr-prod', { ...newItem(owner, start), ...other })
  const { connection, vendor } = two.home
  const { regions } = two.away.ports
  const [known] = regions.peers as [Peer]
  const peer = { ...known, ledger: { ...known.ledger, ...change?.(known) } }
  const ports = { ...two.away.ports, regions: { ...regions, peers: [peer] } }
  const context = await openRun(
    { connection, vendor, ports },
    { item: { standing: mine, ...item } },
  )
  const there = () => two.home.ledger.items.get('mdr-prod')
  return { context, peer, there, item: () => context.ledger.item }
}
const failing = (error: Error) => () => ({
  read: () => Promise.reject(error),
  write: () => Promise.reject(error),
})

describe('leave to send', () => {
  test('leaves in the other ledger what is sent, after all that was sent before', async () => {
    const { context, there } = await opened({
      item: { spent: ['before'] },
      other: { spent: ['theirs'] },
    })
    expect(await askLeave(sending, context)).toBeUndefined()
    expect(there()).toMatchObject({
      spent: ['theirs', 'before', 'token-1'],
      versionId: 'version-1',
      heard: { ...mine, token: 'token-1', kind: 'first' },
      standing: mine,
      revision: 1,
      writer: 'run-1@eu-west-1#0',
    })
  })

  test('ends a doubt there that is older than it; a mere word of who is at work does not', async () => {
    const intent = {
      ...{ grant: 'g', token: 'token-0', versionId: 'v', at: start },
      ...{ kind: 'first' as const, refused: false },
    }
    const { context, peer, there } = await opened({ other: { intent } })
    expect(await write(peer, mine, context)).toBeUndefined()
    expect(there()).toMatchObject({ intent, standing: mine })
    expect(await askLeave(sending, context)).toBeUndefined()
    expect(there()).not.toHaveProperty('intent')
  })

  test('for what is no refresh token leaves its facts there, and nothing of a token', async () => {
    const { context, there } = await opened({ other: { spent: ['theirs'], facts: { kept: 'k' } } })
    expect(await askLeave({ facts: { step: '1' } }, context)).toBeUndefined()
    expect(there()).toMatchObject({ facts: { kept: 'k', step: '1' }, spent: ['theirs'] })
    expect(there()).not.toHaveProperty('heard')
  })

  test('is not given by a region that knows of a later take-over: this one stands by', async () => {
    const item = { takingOver: { without: [], settled: true } }
    const { context, item: now } = await opened({ item, other: { standing: higher } })
    expect(await askLeave(sending, context)).toEqual({
      outcome: 'standby',
      message:
        'the region eu-north-1 is at work on mdr-prod, and this one is not; to change that, run here: token-rotator take-over mdr-prod',
      dueAt: longest,
    })
    expect(now().standing).toEqual(higher)
    expect(now()).not.toHaveProperty('takingOver')
  })

  test('is not given by one that cannot be asked; a person hears of it from the second time on', async () => {
    const first = await opened({ change: failing(down) })
    expect(await askLeave(sending, first.context)).toEqual({
      outcome: 'blocked',
      error: { code: 'ERR_STORE', message: 'UpdateItem failed with TimeoutError' },
      message:
        'the region eu-central-1 could not be asked for leave (UpdateItem failed with TimeoutError), so nothing is sent that is good only once; if that region stays away, run here: token-rotator take-over mdr-prod',
    })
    const second = await opened({ change: failing(down), item: { attempts: 1 } })
    expect(await askLeave(sending, second.context)).toMatchObject({ cause: 'region-unreachable' })
  })

  test('does not hide an error of unknown origin', async () => {
    const { context } = await opened({ change: failing(broken) })
    await expect(askLeave(sending, context)).rejects.toBe(broken)
  })
})

describe('a look around', () => {
  test('stops a region that another has taken over from', async () => {
    const { context, item } = await opened({ other: { standing: higher } })
    expect(await lookAround(context)).toMatchObject({ outcome: 'standby' })
    expect(item().standing).toEqual(higher)
  })

  test('stops no other, and none that looks in vain', async () => {
    for (const given of [
      {},
      { other: {} },
      { other: { standing: { epoch: 8, region: home } } },
      { other: { standing: mine } },
      { change: failing(down) },
    ]) {
      expect(await lookAround((await opened(given)).context)).toBeUndefined()
    }
    expect(await lookAround(await openRun(mdrWorld()))).toBeUndefined()
  })
})

describe('what is written into another ledger', () => {
  test('is tried four times, should that one keep changing', async () => {
    const writers: string[] = []
    const conflict = (until: number) => (peer: Peer) => ({
      async write(item: LedgerItem) {
        writers.push(item.writer)
        return writers.length < until ? ('conflict' as const) : peer.ledger.write(item)
      },
    })
    const last = await opened({ change: conflict(4) })
    expect(await write(last.peer, mine, last.context)).toBeUndefined()
    expect(new Set(writers).size).toBe(4)
    writers.length = 0
    const never = await opened({ change: conflict(5) })
    await expect(write(never.peer, mine, never.context)).rejects.toEqual(
      new StoreError('the ledger in eu-central-1 kept changing', 'retry'),
    )
    expect(writers).toHaveLength(4)
  })

  test('adds nothing of itself to what was sent', async () => {
    const { context, peer, there } = await opened({ other: { spent: ['theirs'] } })
    await write(peer, mine, context)
    expect(there()?.spent).toEqual(['theirs'])
  })

  test('gives way to what the document there says, if the ledger there was lost', async () => {
    const document = JSON.stringify({ refreshToken: 'r', epoch: 10, home: third })
    const lost = await opened({ document })
    expect(await write(lost.peer, mine, lost.context)).toEqual(higher)
    expect(lost.there()).toBeUndefined()
    const known = await opened({ document, other: { standing: { epoch: 8, region: home } } })
    expect(await write(known.peer, mine, known.context)).toBeUndefined()
  })

  test('is written over what is no document at all', async () => {
    const { context, peer, there } = await opened({ document: 'put here by somebody' })
    expect(await write(peer, mine, context)).toBeUndefined()
    expect(there()?.standing).toEqual(mine)
  })
})
