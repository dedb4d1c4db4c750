import { describe, expect, test } from 'vitest'
import type { Enrollment } from '../../lib/core/documents.ts'
import {
  LeaseHeldError,
  ResponseError,
  StoreError,
  VerifyFailedError,
} from '../../lib/core/errors.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import { verifyAndPublish } from '../../lib/core/publish.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { TokenSet, VendorClient, Verified } from '../../lib/core/vendor.ts'
import { publicationId } from '../../lib/core/version-id.ts'
import { openRun } from './open-run.ts'
import { mdrWorld } from './world.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const tokens: TokenSet = {
  accessToken: new Redacted('access-1'),
  tokenType: 'Bearer',
  issuedAt: t0,
  expiresAt: at(60),
  grant: 'refresh_token',
  facts: { session: 's-1' },
}
const before = {
  versionId: 'version-0',
  issuedAt: at(-45),
  expiresAt: at(15),
  held: true,
  where: 'secret',
  proven: true,
} as const
/** The token before this one did not work either. */
const again = { rejected: 'version-0' }
const limit = () =>
  Promise.reject(new StoreError('PutSecretValue failed with LimitExceededException', 'limit'))

interface Given {
  readonly item?: Partial<LedgerItem>
  readonly verified?: Verified | Error
  readonly more?: Partial<TokenSet>
  readonly superseded?: readonly TokenSet[]
  readonly isHeld?: boolean
  readonly put?: Ports['secrets']['put']
  readonly promote?: Ports['secrets']['promote']
}
/** One token verified and published; what came of it, and what stands where. */
async function published({
  item = {},
  verified = {},
  more = {},
  superseded = [],
  ...given
}: Given = {}) {
  const world = mdrWorld()
  const { put = world.secrets.put, promote = world.secrets.promote } = given
  const secrets = {
    ...world.secrets,
    put: ((id, ...rest) =>
      id === world.consumer ? put(id, ...rest) : world.secrets.put(id, ...rest)) as typeof put,
    promote,
  }
  const context = await openRun(world, { item, ports: { ...world.ports, secrets } })
  const document: Enrollment & { tokens: TokenSet } = {
    versionId: 'version-1',
    credential: {},
    credentialId: 'version-0',
    tokens: { ...tokens, ...more },
    superseded,
    fence: 1,
  }
  const client: VendorClient = {
    grants: [],
    headers: ({ accessToken }) => ({ authorization: `Bearer ${accessToken.reveal()}` }),
    close: async () => {},
    verify: async () => {
      if (verified instanceof Error) throw verified
      return verified
    },
  }
  const publication = { document, isHeld: given.isHeld ?? true }
  const ending = await verifyAndPublish(publication, client, 'rotated', context).catch(
    (error: unknown) => ({ thrown: error }),
  )
  return { ending, world, item: context.ledger.item }
}
const rejected = new VerifyFailedError('it does not work', true)
const odd = new ResponseError('odd', { status: 500 })
const dueAt = 'dueAt'

describe('a token that the vendor confirms', () => {
  test('reaches consumers with all that they need, and nothing else', async () => {
    const { world } = await published()
    expect(await world.secrets.currentId(world.consumer)).toBe(publicationId('version-1'))
    expect(world.secrets.current(world.consumer)).toEqual({
      schema: 1,
      connection: 'mdr-prod',
      vendor: 'kaspersky-mdr',
      base_url: 'https://mdr.example.com',
      token_type: 'Bearer',
      access_token: 'access-1',
      headers: { authorization: 'Bearer access-1' },
      issued_at: '2026-01-01T00:00:00.000Z',
      expires_at: '2026-01-01T01:00:00.000Z',
    })
  })

  test('is on record with all that the next run must know', async () => {
    const { item, ending } = await published({
      item: { facts: { serial: '1', session: 's-0', kept: 'k' }, rotations: 4, requested: true },
      verified: { facts: { serial: '2' } },
    })
    expect(item.published).toEqual({
      versionId: 'version-1',
      issuedAt: t0,
      expiresAt: at(60),
      held: true,
      where: 'secret',
      proven: true,
    })
    expect(item.facts).toEqual({ serial: '2', session: 's-1', kept: 'k' })
    expect(item.rotations).toBe(5)
    expect(item.consumerWrites).toEqual([t0])
    expect(item.requested).toBeUndefined()
    expect(item.aliveAt).toBeUndefined()
    expect(item.retireAt).toBeUndefined()
    expect(ending).toMatchObject({ outcome: 'rotated', expiring: [] })
    expect(ending).toHaveProperty(dueAt)
  })

  test('brings what the vendor said beside that, for a person', async () => {
    const notAfter = at(60)
    const verified = { warning: 'another unit', certificates: [{ name: 'server', notAfter }] }
    expect((await published({ verified })).ending).toMatchObject({
      warning: 'another unit',
      expiring: [{ name: 'server', notAfter, days: 1 }],
    })
  })

  test('of which nothing is held is on record as that', async () => {
    const { item } = await published({ isHeld: false })
    expect(item.published?.held).toBe(false)
  })

  test('of a session without an end is alive from now on', async () => {
    expect((await published({ more: { expiresAt: null } })).item.aliveAt).toEqual(t0)
    const unsure = await published({ more: { expiresAt: null }, verified: odd })
    expect(unsure.item.aliveAt).toBeUndefined()
  })

  test('leaves what it supersedes to caches for five minutes', async () => {
    expect((await published({ superseded: [tokens] })).item.retireAt).toEqual(at(5))
    const again = { ...before, versionId: 'version-1', proven: false }
    const repeated = { superseded: [tokens], item: { published: again, retireAt: at(3) } }
    expect((await published(repeated)).item.retireAt).toEqual(at(3))
  })

  test('a second time is no rotation and no write, and what was asked for since stands', async () => {
    const again = { ...before, versionId: 'version-1', proven: false }
    const consumerWrites = [at(-2 * 24 * 60), at(-1)]
    const { item } = await published({
      item: { published: again, requested: true, rotations: 4, consumerWrites },
    })
    expect(item).toMatchObject({ requested: true, rotations: 4, consumerWrites: [at(-1)] })
    const calm = await published({ item: { published: again } })
    expect(calm.item).not.toHaveProperty('requested')
  })

  test('that comes home from the mirror is a write', async () => {
    const mirrored = { ...before, versionId: 'version-1', where: 'mirror' as const }
    const { item } = await published({ item: { published: mirrored, rotations: 4 } })
    expect(item).toMatchObject({
      rotations: 4,
      consumerWrites: [t0],
      published: { where: 'secret' },
    })
  })

  test('is published under another id if other text stands under its own', async () => {
    const world = mdrWorld()
    let calls = 0
    const put: Ports['secrets']['put'] = async (...args) =>
      ++calls === 1 ? 'conflict' : world.secrets.put(...args)
    const seen: unknown[] = []
    const { ending, item } = await published({
      put: async (id, version, label) => {
        seen.push([version.versionId, label])
        return put(id, version, label)
      },
    })
    expect(seen).toEqual([
      [publicationId('version-1'), 'pending'],
      [publicationId('version-1/run-1'), 'pending'],
    ])
    expect(calls).toBe(2)
    expect([ending, item.published?.where]).toBeDefined()
  })
})

describe('a token that is published a second time', () => {
  test('has the version that it was given then, where that was not its own', async () => {
    const as = '00000000-0000-4000-8000-0000000000aa'
    const again = { ...before, versionId: 'version-1', proven: false, as }
    const { world, item } = await published({ item: { published: again } })
    expect(await world.secrets.currentId(world.consumer)).toBe(as)
    expect(item.published?.as).toBe(as)
  })

  test('leaves the certificates on record that the vendor says nothing of', async () => {
    const certificates = [{ name: 'server', notAfter: at(60) }]
    expect((await published({ item: { certificates } })).item.certificates).toEqual(certificates)
  })
})

describe('a run that may not publish', () => {
  test('is one whose lease has run out: what its successor published stands', async () => {
    const lease = { runId: 'run-1', expiresAt: t0 }
    const { ending, world } = await published({ item: { lease } })
    expect(ending).toEqual({
      thrown: new LeaseHeldError('the lease ran out before the token could be published'),
    })
    expect(world.published()).toBeUndefined()
  })

  test('is one that finds the label elsewhere to its end, and says so', async () => {
    const { ending, item } = await published({
      item: { published: before },
      put: async () => 'stored',
      promote: async () => 'superseded',
    })
    expect(ending).toEqual({
      thrown: new StoreError(
        'the current version of token-rotator/mdr-prod/access-token is another one than expected',
        'retry',
      ),
    })
    expect(item.published).toEqual(before)
  })
})

describe('a token that the vendor does not confirm', () => {
  test('is held back while the published one lives, and why is told', async () => {
    const { ending, world, item } = await published({
      verified: rejected,
      item: { published: before },
    })
    expect(ending).toEqual({
      outcome: 'failed',
      cause: 'verify-failed',
      error: { code: 'ERR_VERIFY_FAILED', message: 'it does not work' },
      message: 'it does not work',
    })
    expect(world.published()).toBeUndefined()
    expect(item.published).toEqual(before)
  })

  test('because it could not be asked is held back without a person being told', async () => {
    const { ending, world } = await published({ verified: odd, item: { published: before } })
    expect(ending).toMatchObject({ outcome: 'failed', error: { code: 'ERR_RESPONSE' } })
    expect(ending).not.toHaveProperty('cause')
    expect(world.published()).toBeUndefined()
  })

  test('goes out where there is nothing better, unproven, and the run has failed all the same', async () => {
    const { ending, world, item } = await published({ verified: rejected, item: again })
    expect(ending).toMatchObject({ outcome: 'failed', cause: 'verify-failed' })
    expect(world.published()).toBe('access-1')
    expect(item.published?.proven).toBe(false)
    expect(item.rejected).toBe('version-0')
  })

  test('is marked the first time that consumers need it, so that another is asked for', async () => {
    const halfOut = { ...before, issuedAt: at(-52.5), expiresAt: at(7.5) }
    for (const known of [undefined, { ...before, expiresAt: at(5) }, halfOut]) {
      const { ending, world, item } = await published({
        verified: rejected,
        item: known === undefined ? {} : { published: known },
      })
      expect(ending).toMatchObject({ outcome: 'failed', cause: 'verify-failed' })
      expect(world.published()).toBeUndefined()
      expect(item.rejected).toBe('version-1')
    }
  })

  test('is not marked while consumers have a fresh one', async () => {
    const { item } = await published({ verified: rejected, item: { published: before } })
    expect(item.rejected).toBeUndefined()
  })

  test('ends the row of those that do not work, should the next one do', async () => {
    expect((await published({ item: again })).item.rejected).toBeUndefined()
  })
})

describe('a consumer secret that takes no more versions', () => {
  test('has its token in the mirror, and a person is told where', async () => {
    const { ending, world, item } = await published({ put: limit })
    expect(ending).toEqual({
      outcome: 'blocked',
      cause: 'version-budget',
      message:
        'Secrets Manager takes no more versions of token-rotator/mdr-prod/access-token for now; the token was written to the parameter /token-rotator/mdr-prod/access-token',
    })
    expect(item.published).toMatchObject({ where: 'mirror', proven: true })
    expect(item.consumerWrites).toEqual([])
    const mirror = world.parameters.values.get('/token-rotator/mdr-prod/access-token') ?? '{}'
    expect(JSON.parse(mirror)).toMatchObject({ access_token: 'access-1' })
  })

  test('is told as what it is, should the vendor not confirm the token either', async () => {
    const { ending, item } = await published({ put: limit, verified: rejected, item: again })
    expect(ending).toMatchObject({ cause: 'verify-failed' })
    expect(item.published?.where).toBe('mirror')
  })

  test('is not what a secret is that fails otherwise', async () => {
    const denied = new StoreError('PutSecretValue was denied', 'denied')
    const { ending, world, item } = await published({ put: () => Promise.reject(denied) })
    expect(ending).toEqual({ thrown: denied })
    expect(world.parameters.values.size).toBe(0)
    expect(item.published).toBeUndefined()
  })
})
