import { describe, expect, test } from 'vitest'
import { GrantRefusedError, LeaseHeldError, StoreError } from '../../lib/core/errors.ts'
import type { Cause } from '../../lib/core/incident.ts'
import type { LedgerItem } from '../../lib/core/ledger.ts'
import { conclude, type Ending, failed } from '../../lib/core/release.ts'
import type { Ports } from '../../lib/core/run.ts'
import { openRun } from './open-run.ts'
import { kscWorld, mdrWorld } from './world.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const at = (minutes: number) => new Date(t0.getTime() + minutes * 60_000)
const seconds = (from: Date | undefined) => ((from?.getTime() ?? 0) - t0.getTime()) / 1000

const hour = {
  versionId: 'version-1',
  issuedAt: t0,
  expiresAt: at(60),
  held: true,
  where: 'secret',
  proven: true,
} as const
const published = (left: number) => ({ ...hour, issuedAt: at(left - 60), expiresAt: at(left) })
const incident = (...told: NonNullable<LedgerItem['incident']>['told']) => ({
  id: 'run-0',
  openedAt: at(-5),
  told,
})
const down = new StoreError('PutEvents failed', 'retry')

/** A run that ends so, with what the ledger holds; what came of it. */
async function ended(
  ending: Ending,
  item: Partial<LedgerItem> = {},
  {
    world = mdrWorld(),
    through = {},
  }: {
    world?: ReturnType<typeof kscWorld> | ReturnType<typeof mdrWorld>
    through?: Partial<Ports>
  } = {},
) {
  const context = await openRun(world as ReturnType<typeof mdrWorld>, { item })
  const outcome = await conclude(ending, { ...context, ports: { ...context.ports, ...through } })
  return { outcome, stored: world.item(), events: world.events.emitted, told: world.told() }
}

describe('the end of a run', () => {
  test('gives up the lease, and says to its caller what it was and when it is next', async () => {
    const { outcome, stored, events } = await ended({ outcome: 'unchanged', dueAt: at(44) })
    expect(outcome).toEqual({ connection: 'mdr-prod', outcome: 'unchanged', dueAt: at(44) })
    expect(stored).toMatchObject({
      dueAt: at(44),
      attempts: 0,
      history: [{ at: t0, outcome: 'unchanged' }],
    })
    expect(stored.lease).toBeUndefined()
    expect(events).toEqual([])
  })

  test('tells everybody of a rotation, once under the run’s own key', async () => {
    const ending = { outcome: 'rotated', dueAt: at(44), warning: 'another unit answers' } as const
    const { events } = await ended(ending, { published: hour })
    expect(events).toEqual([
      {
        type: 'Token Rotated',
        idempotencyKey: 'run-1/rotated',
        detail: {
          schema: 1,
          connection: 'mdr-prod',
          vendor: 'kaspersky-mdr',
          at: '2026-01-01T00:00:00.000Z',
          outcome: 'rotated',
          warning: 'another unit answers',
          publishedUntil: '2026-01-01T01:00:00.000Z',
        },
      },
    ])
  })

  test('is told to its caller although the ledger does not take it', async () => {
    const world = mdrWorld()
    const context = await openRun(world)
    const broken = {
      ...context.ledger,
      item: context.ledger.item,
      commit: () => Promise.reject(new StoreError('UpdateItem was denied', 'denied')),
    }
    const ending = { outcome: 'rotated', dueAt: at(44) } as const
    expect(await conclude(ending, { ...context, ledger: broken })).toEqual({
      connection: 'mdr-prod',
      outcome: 'rotated',
      error: { code: 'ERR_STORE', message: 'UpdateItem was denied' },
      dueAt: at(44),
    })
  })

  test('is written down at a later try if the ledger does not answer at once', async () => {
    const world = mdrWorld()
    const context = await openRun(world)
    const { ledger } = context
    let tries = 0
    const slow = {
      ...ledger,
      item: ledger.item,
      commit: async (change?: Parameters<typeof ledger.commit>[0]) => {
        if (++tries < 3) throw new StoreError('UpdateItem was throttled', 'retry')
        await ledger.commit(change)
      },
    }
    await conclude({ outcome: 'unchanged' }, { ...context, ledger: slow })
    expect(world.item().history).toHaveLength(1)
  })
})

describe('a run that failed', () => {
  const failing: Ending = { outcome: 'failed' }

  test('is repeated by the back-off, which grows with each failure in a row', async () => {
    const first = await ended(failing)
    expect(seconds(first.outcome.dueAt)).toBeCloseTo(57.159, 2)
    expect(first.stored.attempts).toBe(1)
    const third = await ended(failing, { attempts: 2 })
    expect(seconds(third.outcome.dueAt)).toBeCloseTo(228.636, 2)
    expect(third.stored.attempts).toBe(3)
  })

  test('is repeated sooner than its back-off while the published token runs out', async () => {
    const { outcome } = await ended(failing, { attempts: 4, published: published(20) })
    expect(outcome.dueAt).toEqual(at(5))
    const long = await ended(failing, { published: published(60) })
    expect(seconds(long.outcome.dueAt)).toBeCloseTo(57.159, 2)
  })

  test('is repeated by the back-off once the published token is dead', async () => {
    const { outcome } = await ended(failing, { attempts: 4, published: published(0) })
    expect(seconds(outcome.dueAt)).toBeCloseTo(857.385, 2)
  })

  test('is repeated by the back-off if what it waits for comes later, else when that comes', async () => {
    const later = await ended({ outcome: 'blocked', dueAt: at(30) })
    expect(seconds(later.outcome.dueAt)).toBeCloseTo(57.159, 2)
    const sooner = await ended({ outcome: 'blocked', dueAt: new Date('2026-01-01T00:00:10Z') })
    expect(seconds(sooner.outcome.dueAt)).toBe(10)
  })

  test('is looked at again by the back-off too if it only says nothing of a time', async () => {
    const { outcome, stored } = await ended({ outcome: 'unenrolled' })
    expect(seconds(outcome.dueAt)).toBeCloseTo(57.159, 2)
    expect(stored.attempts).toBe(0)
  })

  test('says what went wrong, and why a person is told, if one is', () => {
    const refusal = new GrantRefusedError('no', { reason: 'invalid_grant' })
    const error = { code: 'ERR_GRANT_REFUSED', message: 'no (invalid_grant)' }
    expect(failed(refusal)).toEqual({ outcome: 'failed', error, message: error.message })
    expect(failed(refusal, 'configuration')).toEqual({
      outcome: 'failed',
      error,
      message: error.message,
      cause: 'configuration',
    })
  })
})

describe('a kept-alive session', () => {
  const session = { ...hour, expiresAt: null }
  const ksc = (ending: Ending, item: Partial<LedgerItem>) =>
    ended(ending, { published: session, ...item }, { world: kscWorld() })

  test('is asked again at the next tick after a failure, whatever the back-off', async () => {
    const { outcome } = await ksc({ outcome: 'failed' }, { attempts: 4, aliveAt: t0 })
    expect(seconds(outcome.dueAt)).toBe(45)
  })

  test('with a person needed goes by the back-off', async () => {
    const ending = { outcome: 'blocked', cause: 'enrollment-required', message: 'no' } as const
    const { outcome } = await ksc(ending, { attempts: 4, aliveAt: t0 })
    expect(seconds(outcome.dueAt)).toBeGreaterThan(800)
  })

  test('is at risk once it has been silent for as long as it lives', async () => {
    const silent = (aliveAt: Date | undefined) =>
      ksc(
        { outcome: 'failed' },
        aliveAt === undefined ? { published: { ...session, issuedAt: at(-3) } } : { aliveAt },
      )
    expect((await silent(new Date(at(-3).getTime() + 1))).told).toEqual([])
    expect((await silent(at(-3))).told).toEqual(['freshness-at-risk'])
    expect((await silent(undefined)).told).toEqual(['freshness-at-risk'])
  })

  test('is not what a token with an end is, though the vendor has sessions too', async () => {
    const { told } = await ksc({ outcome: 'failed' }, { published: published(30), aliveAt: at(-9) })
    expect(told).toEqual([])
  })

  test('is not said to live until a time', async () => {
    const { events } = await ksc({ outcome: 'rotated' }, { aliveAt: t0 })
    expect(events[0]?.detail).not.toHaveProperty('publishedUntil')
  })

  test('of a vendor that names no silence is never nearly out', async () => {
    const { told } = await ended(
      { outcome: 'failed' },
      { published: { ...session, issuedAt: at(-1000) } },
    )
    expect(told).toEqual([])
  })
})

describe('a person is told', () => {
  const blocked: Ending = { outcome: 'blocked', cause: 'configuration', message: 'is not JSON' }

  test('the cause, under a key that a repeat would have too', async () => {
    const { events, stored } = await ended(blocked, { published: hour })
    expect(events).toEqual([
      {
        type: 'Token Rotation Failed',
        idempotencyKey: 'mdr-prod/version-1/0/configuration',
        detail: {
          schema: 1,
          connection: 'mdr-prod',
          vendor: 'kaspersky-mdr',
          at: '2026-01-01T00:00:00.000Z',
          outcome: 'blocked',
          message: 'is not JSON',
          cause: 'configuration',
          incident: 'mdr-prod/version-1/0',
          publishedUntil: '2026-01-01T01:00:00.000Z',
          secret: 'token-rotator/mdr-prod/access-token',
          notify: true,
          steps: expect.any(Array),
          words: expect.objectContaining({ happened: 'What happened: is not JSON.' }),
        },
      },
    ])
    expect(stored.incident).toEqual({
      id: 'mdr-prod/version-1/0',
      openedAt: t0,
      told: ['configuration'],
    })
  })

  test('the vendor’s own steps and then ours, if one must enroll', async () => {
    const { events } = await ended({ ...blocked, cause: 'enrollment-required' })
    const steps = events[0]?.detail.steps ?? []
    expect(steps.length).toBeGreaterThan(1)
    expect(steps.slice(0, -1)).toEqual(mdrWorld().vendor.enrollmentSteps)
    expect(steps.at(-1)).toBe('run: token-rotator enroll mdr-prod')
  })

  test('in words once for an incident, and again only if they have to do something', async () => {
    const notices = async (cause: Cause, told: Cause[], enrollments?: number) => {
      const open = { ...incident(...told), ...(enrollments === undefined ? {} : { enrollments }) }
      const { events } = await ended({ ...blocked, cause }, { incident: open, published: hour })
      return events.map(({ detail }) => detail.notify ?? false)
    }
    expect(await notices('verify-failed', [])).toEqual([true])
    expect(await notices('verify-failed', ['token-at-risk'])).toEqual([false])
    expect(await notices('enrollment-required', ['token-at-risk'])).toEqual([true])
    expect(await notices('token-at-risk', ['freshness-at-risk'], 1)).toEqual([true])
    // A full secret lasts for hours a day: what happens meanwhile is not part of it.
    expect(await notices('verify-failed', ['version-budget'])).toEqual([true])
  })

  test('of several causes of one run in a single message', async () => {
    const { events } = await ended(blocked, { published: published(3) })
    expect(events.map(({ detail }) => [detail.cause, detail.notify])).toEqual([
      ['configuration', true],
      ['freshness-at-risk', undefined],
    ])
  })

  test('who reads the secret, if that is configured', async () => {
    const world = mdrWorld()
    Object.assign(world.connection, { readers: ['siem-forwarder'] })
    const { events } = await ended(blocked, {}, { world })
    expect(events[0]?.detail).toMatchObject({
      readers: ['siem-forwarder'],
      words: { reach: expect.stringContaining('is read by siem-forwarder.') },
    })
  })

  test('and the ledger keeps the cause with the outcome, heard or not', async () => {
    const deaf = { events: { emit: () => Promise.reject(down) } }
    const { stored } = await ended(blocked, {}, { through: deaf })
    expect(stored.history).toEqual([{ at: t0, outcome: 'blocked', cause: 'configuration' }])
  })

  test('each cause once while the incident lasts, the second as part of the first’s', async () => {
    expect((await ended(blocked, { incident: incident('configuration') })).told).toEqual([])
    const { events, stored } = await ended(blocked, { incident: incident('verify-failed') })
    expect(events.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['run-0/configuration'])
    expect(stored.incident?.told).toEqual(['verify-failed', 'configuration'])
  })

  test('again by the next run if nobody heard it', async () => {
    const deaf = { events: { emit: () => Promise.reject(down) } }
    const { stored } = await ended(blocked, {}, { through: deaf })
    expect(stored.incident).toEqual({ id: 'mdr-prod/unpublished/0', openedAt: t0, told: [] })
    const further = await ended(blocked, { incident: incident('verify-failed') }, { through: deaf })
    expect(further.stored.incident).toEqual(incident('verify-failed'))
  })

  test('although the ledger does not answer', async () => {
    const world = mdrWorld()
    const context = await openRun(world)
    const reject = (error: Error) => ({
      ...context,
      ledger: { ...context.ledger, item: context.ledger.item, commit: () => Promise.reject(error) },
    })
    await conclude(blocked, reject(new StoreError('UpdateItem was denied', 'denied')))
    expect(world.told()).toEqual(['configuration'])
  })

  test('by whoever holds the lease, not by a run that has lost it', async () => {
    const world = mdrWorld()
    const context = await openRun(world)
    const lost = {
      ...context.ledger,
      item: context.ledger.item,
      commit: () => Promise.reject(new LeaseHeldError('taken')),
    }
    await expect(conclude(blocked, { ...context, ledger: lost })).rejects.toThrow(LeaseHeldError)
    expect(world.told()).toEqual([])
  })
})

describe('what else is at stake when a run fails', () => {
  const failing: Ending = { outcome: 'failed', message: 'unreachable' }

  test('is freshness, once the published token has half of its margin left', async () => {
    expect((await ended(failing, { published: published(7.6) })).told).toEqual([])
    expect((await ended(failing, { published: published(7.5) })).told).toEqual([
      'freshness-at-risk',
    ])
  })

  test('is freshness, at the third failure of a connection that was never published', async () => {
    expect((await ended(failing, { attempts: 1 })).told).toEqual([])
    expect((await ended(failing, { attempts: 2 })).told).toEqual(['freshness-at-risk'])
  })

  test('is the refresh token, once it ends within the vendor’s alarm time', async () => {
    const day = 24 * 60
    const item = { published: published(60) }
    const near = { ...item, refreshExpiresAt: at(2 * day) }
    expect((await ended(failing, near)).told).toEqual(['refresh-token-expiring'])
    const far = { ...item, refreshExpiresAt: at(2 * day + 0.1) }
    expect((await ended(failing, far)).told).toEqual([])
    const quiet = mdrWorld()
    const { refreshAlarmSeconds: _, ...vendor } = quiet.vendor
    expect((await ended(failing, near, { world: { ...quiet, vendor } })).told).toEqual([])
  })

  test('is told beside the run’s own cause', async () => {
    const ending = { ...failing, outcome: 'blocked', cause: 'configuration' } as const
    const { told } = await ended(ending, { published: published(7) })
    expect(told).toEqual(['configuration', 'freshness-at-risk'])
  })

  test('is not asked while runs succeed', async () => {
    expect((await ended({ outcome: 'unchanged' }, { published: published(7) })).told).toEqual([])
  })
})

describe('an incident is over', () => {
  const open = { incident: incident('token-at-risk'), published: hour }

  test('when consumers read a proven token from the secret, and that is told under its own key', async () => {
    const ending = {
      outcome: 'published',
      message: 'no longer of interest',
      dueAt: at(44),
    } as const
    const { events, stored } = await ended(ending, open)
    expect(events).toEqual([
      {
        type: 'Token Recovered',
        idempotencyKey: 'run-0/recovered',
        detail: {
          schema: 1,
          connection: 'mdr-prod',
          vendor: 'kaspersky-mdr',
          at: '2026-01-01T00:00:00.000Z',
          outcome: 'published',
          incident: 'run-0',
          publishedUntil: '2026-01-01T01:00:00.000Z',
        },
      },
    ])
    expect(stored.incident).toBeUndefined()
  })

  test.each<[string, Ending, Partial<LedgerItem>]>([
    [
      'only the mirror has the token',
      { outcome: 'unchanged' },
      { published: { ...hour, where: 'mirror' } },
    ],
    [
      'the vendor has not confirmed it',
      { outcome: 'unchanged' },
      { published: { ...hour, proven: false } },
    ],
    ['nobody has enrolled', { outcome: 'unenrolled' }, {}],
    ['the run failed', { outcome: 'failed' }, {}],
    ['the run was blocked', { outcome: 'blocked', cause: 'token-at-risk' }, {}],
  ])('but not while %s', async (_title, ending, item) => {
    const told = await ended(ending, { ...open, ...item })
    expect(told.told).not.toContain('Token Recovered')
    expect(told.stored.incident?.id).toBe('run-0')
  })

  test('but not for a tick at which the store did not answer: nobody hears of an end, nor of it twice', async () => {
    const world = mdrWorld()
    await world.invoke()
    world.clock.advance(seconds(world.item().dueAt))
    world.fake.faults.push('lose')
    await world.invoke()
    const read = () => Promise.reject(new StoreError('GetSecretValue was throttled', 'retry'))
    world.clock.advance(60)
    await world.invoke({ ...world.ports, secrets: { ...world.secrets, read } })
    world.clock.advance(60)
    await world.minutes(3)
    expect(world.told()).toEqual(['token-at-risk'])
  })

  test('only once that could be told', async () => {
    const deaf = { events: { emit: () => Promise.reject(down) } }
    const { stored } = await ended({ outcome: 'published' }, open, { through: deaf })
    expect(stored.incident?.id).toBe('run-0')
  })

  describe('of the version budget', () => {
    const writes = (count: number) => Array.from({ length: count }, () => at(-10))
    const budget = { ...open, incident: incident('version-budget') }

    test.each<[string, Partial<LedgerItem>]>([
      ['consumer', { consumerWrites: writes(98) }],
      ['enrollment', { enrollmentWrites: writes(98) }],
    ])('only once there is room again in the %s secret', async (_secret, full) => {
      expect((await ended({ outcome: 'rotated' }, { ...budget, ...full })).told).toEqual([])
      const { told, stored } = await ended({ outcome: 'rotated' }, budget)
      expect(told).toEqual(['Token Recovered'])
      expect(stored.incident).toBeUndefined()
    })

    test('goes on by itself when what came with it is over', async () => {
      const both = { incident: incident('version-budget', 'freshness-at-risk') }
      const item = { ...budget, ...both, consumerWrites: writes(98) }
      const { told, stored } = await ended({ outcome: 'published' }, item)
      expect(told).toEqual(['Token Recovered'])
      expect(stored.incident).toEqual({
        id: 'mdr-prod/version-1/1',
        openedAt: t0,
        told: ['version-budget'],
      })
    })

    test('does not keep another incident open', async () => {
      const { stored } = await ended(
        { outcome: 'published' },
        { ...open, consumerWrites: writes(98) },
      )
      expect(stored.incident).toBeUndefined()
    })
  })
})

describe('a certificate that ends', () => {
  const notAfter = new Date('2026-01-06T00:00:00Z')
  const expiring = [{ name: 'server', notAfter, days: 7 }]

  test('is told with its name and end, under a key of its own, and remembered', async () => {
    const { events, stored } = await ended(
      { outcome: 'kept-alive', expiring },
      { facts: { other: 'fact' } },
    )
    expect(events).toMatchObject([
      {
        type: 'Token Rotation Failed',
        idempotencyKey: 'mdr-prod/certificate server/7 days before 2026-01-06T00:00:00.000Z',
        detail: {
          cause: 'certificate-expiring',
          message: 'the certificate "server" ends at 2026-01-06T00:00:00.000Z; replace it before',
        },
      },
    ])
    expect(stored.facts).toEqual({
      other: 'fact',
      'certificate server': '7 days before 2026-01-06T00:00:00.000Z',
    })
    expect(stored.incident).toBeUndefined()
  })

  test('is told again by the next run if nobody heard it', async () => {
    const deaf = { events: { emit: () => Promise.reject(down) } }
    const { stored } = await ended({ outcome: 'kept-alive', expiring }, {}, { through: deaf })
    expect(stored.facts).toEqual({})
  })
})
