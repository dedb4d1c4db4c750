import { describe, expect, test } from 'vitest'
import { StoreError, VerifyFailedError } from '../../lib/core/errors.ts'
import type { Ports } from '../../lib/core/run.ts'
import { successorId } from '../../lib/core/version-id.ts'
import { enrolledId, ftdWorld, mdrWorld } from './world.ts'

/** Runs to the minute in which the held access token of MDR is renewed (45 minutes less the jitter). */
async function untilDue(world: ReturnType<typeof mdrWorld> | ReturnType<typeof ftdWorld>) {
  await world.invoke()
  world.clock.advance((world.item().dueAt.getTime() - world.clock.now().getTime()) / 1000)
}

describe('a vendor whose refresh tokens buy one pair each', () => {
  test('publishes the first pair at the first tick after enrollment', async () => {
    const world = mdrWorld()
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('keeps every read of the consumer secret fresh over a day, spending each token once', async () => {
    const world = mdrWorld()
    for (let minute = 0; minute < 24 * 60; minute++) {
      await world.invoke()
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
      world.clock.advance(60)
    }
    expect(world.repeated()).toBe(0)
    expect(world.fake.presented.size).toBeGreaterThan(30)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.told()).toEqual([])
  })

  test('does nothing while nothing is due', async () => {
    const world = mdrWorld()
    await world.invoke()
    world.clock.advance(60)
    expect(await world.invoke()).toBeUndefined()
  })

  test('publishes no refresh token to consumers', async () => {
    const world = mdrWorld()
    await world.invoke()
    expect(JSON.stringify(world.secrets.current(world.consumer))).not.toContain(world.fake.tip())
  })

  test('renews at the next tick when somebody asked for it, due or not', async () => {
    const world = mdrWorld()
    await world.invoke()
    const item = world.item()
    const revision = item.revision + 1
    await world.ledger.write({ ...item, revision, requested: true, dueAt: world.clock.now() })
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.presented.size).toBe(2)
    expect(world.item().requested).toBeUndefined()
  })

  test('says who must enroll when the secret has no value yet, and pages nobody', async () => {
    const world = mdrWorld()
    world.secrets.clear(world.enrollment)
    const outcome = await world.invoke()
    expect(outcome).toMatchObject({ outcome: 'unenrolled' })
    expect(outcome?.message).toContain('token-rotator enroll mdr-prod')
    expect(world.told()).toEqual([])
  })

  test('tells once what is wrong with a secret that is no document', async () => {
    const world = mdrWorld()
    world.secrets.edit(world.enrollment, enrolledId, 'eyJ-not-json')
    const outcomes = await world.minutes(30)
    expect(outcomes[0]).toMatchObject({ outcome: 'blocked', cause: 'configuration' })
    expect(world.told().filter((cause) => cause === 'configuration')).toHaveLength(1)
    expect(JSON.stringify(outcomes)).not.toContain('eyJ-not-json')
  })
})

describe('when the answer to a spent refresh token is missing', () => {
  test('the published token is served on, a person is told once, and the token is sent once more when that is nearly out', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('error')
    expect(await world.invoke()).toMatchObject({ outcome: 'blocked', cause: 'token-at-risk' })
    expect(world.repeated()).toBe(0)
    const outcomes = await world.minutes(15)
    expect(outcomes.at(-1)).toMatchObject({ outcome: 'recovered' })
    // 503 had no effect at this vendor, so its one presentation is the probe.
    expect(world.fake.presented.get(outcomes.length > 0 ? (world.tokens()[1] ?? '') : '')).toBe(1)
    expect(world.told()).toEqual(['token-at-risk', 'Token Recovered'])
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('a token that was consumed is sent twice at most, and then a person gets the console steps once', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('lose')
    await world.minutes(24 * 60)
    expect(world.repeated()).toBe(1)
    expect(world.told()).toEqual(['token-at-risk', 'enrollment-required', 'freshness-at-risk'])
    const page = world.events.emitted.find(({ type }) => type === 'Enrollment Required')
    expect(page?.detail.steps?.at(-1)).toBe('run: token-rotator enroll mdr-prod')
    // Refused: the dead token is kept as evidence.
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.tokens()[1])
  })

  test('is never sent a third time, though the answer to the second is missing as well', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('lose', 'lose')
    await world.minutes(24 * 60)
    expect(Math.max(...world.fake.presented.values())).toBe(2)
    expect(world.told()).toContain('enrollment-required')
  })

  test('is not sent again at once because the ledger item was deleted meanwhile', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('lose')
    await world.invoke()
    world.ledger.items.clear()
    await world.invoke()
    expect(world.repeated()).toBe(0)
  })

  test('a new token in the secret ends the incident at the next tick that looks, and is told', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('lose')
    await world.minutes(60)
    world.fake.renew('console-token-2')
    world.enroll({ refreshToken: 'console-token-2' }, '00000000-0000-4000-8000-000000000002')
    await world.minutes(16)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.told().at(-1)).toBe('Token Recovered')
    expect(world.fake.presented.get('console-token-2')).toBe(1)
  })

  test('a vendor that cannot be reached has spent nothing: it is tried again by the back-off', async () => {
    const world = mdrWorld()
    await untilDue(world)
    world.fake.faults.push('unreachable', 'unreachable')
    const outcomes = await world.minutes(8)
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'rotated'])
    expect(world.repeated()).toBe(0)
    expect(world.told()).toEqual([])
  })

  test('an outage longer than the margin is told before consumers suffer', async () => {
    const world = mdrWorld()
    await untilDue(world)
    for (let n = 0; n < 10; n++) world.fake.faults.push('unreachable')
    await world.minutes(11)
    expect(world.told()).toEqual(['freshness-at-risk'])
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('a refresh token that nears its end while renewal fails is told 48 hours before', async () => {
    const world = mdrWorld()
    await untilDue(world)
    for (let n = 0; n < 1000; n++) world.fake.faults.push('unreachable')
    await world.minutes(60)
    expect(world.told()).toEqual(['freshness-at-risk'])
    world.clock.advance(5 * 86_400)
    await world.minutes(1)
    expect(world.told()).toEqual(['freshness-at-risk', 'refresh-token-expiring'])
  })
})

describe('two runs', () => {
  test('that start together spend one token: the other finds the lease', async () => {
    const world = mdrWorld()
    const outcomes = await Promise.all([world.invoke(), world.invoke(), world.invoke()])
    expect(outcomes.map((one) => one?.outcome).sort()).toEqual([
      'lease-held',
      'lease-held',
      'rotated',
    ])
    expect(world.repeated()).toBe(0)
  })

  test('of which one outlived its lease never send the same token', async () => {
    const world = mdrWorld()
    await untilDue(world)
    // The first run is frozen between reading and announcing; the second takes over after the lease.
    let thaw = () => {}
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve
    })
    const slow: Ports = {
      ...world.ports,
      parameters: {
        ...world.parameters,
        read: async (name) => {
          await frozen
          return world.parameters.read(name)
        },
      },
    }
    const first = world.invoke(slow)
    await Promise.resolve()
    world.clock.advance(331)
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    thaw()
    expect((await first)?.outcome).not.toBe('rotated')
    expect(world.repeated()).toBe(0)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })
})

describe('a run that is killed', () => {
  test('before it has spent anything is followed within two minutes', async () => {
    const world = ftdWorld()
    let dies = () => {}
    const isDead = new Promise<void>((resolve) => {
      dies = resolve
    })
    const put = () => {
      dies()
      return new Promise<never>(() => {})
    }
    const write = () => new Promise<never>(() => {})
    const dying: Ports = {
      ...world.ports,
      secrets: { ...world.secrets, put },
      parameters: { ...world.parameters, write },
    }
    void world.invoke(dying)
    await isDead
    world.clock.advance(95)
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
  })

  test('while it waits for an answer keeps its lease beyond the function’s time-out', async () => {
    const world = mdrWorld()
    await untilDue(world)
    let sent = () => {}
    const isSent = new Promise<void>((resolve) => {
      sent = resolve
    })
    const waiting: Ports = {
      ...world.ports,
      connect: (connection, vendor, enrolled) => {
        const client = world.ports.connect(connection, vendor, enrolled)
        const request = () => {
          sent()
          return new Promise<never>(() => {})
        }
        return { ...client, grants: client.grants.map((grant) => ({ ...grant, request })) }
      },
    }
    void world.invoke(waiting)
    await isSent
    world.clock.advance(329)
    expect(await world.invoke()).toMatchObject({ outcome: 'lease-held' })
  })
})

describe('a store that fails', () => {
  const failing = (world: ReturnType<typeof mdrWorld>, put: Ports['secrets']['put']): Ports => ({
    ...world.ports,
    secrets: { ...world.secrets, put },
  })
  const throttled = async () => {
    throw new StoreError('PutSecretValue failed with ThrottlingException', 'retry')
  }

  test('sends the pair to the escrow, and the next run brings it home', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const before = await world.secrets.currentId(world.enrollment)
    const onlyConsumer = failing(world, (id, version, label) =>
      id === world.enrollment ? throttled() : world.secrets.put(id, version, label),
    )
    expect(await world.invoke(onlyConsumer)).toMatchObject({ outcome: 'rotated' })
    expect(await world.secrets.currentId(world.enrollment)).toBe(before)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    await world.minutes(60)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.parameters.values.size).toBe(0)
    expect(world.repeated()).toBe(0)
  })

  test('keeps a pair for which another run has taken the version', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const taken = failing(world, async (id, version, label) =>
      id === world.enrollment ? 'conflict' : world.secrets.put(id, version, label),
    )
    await world.invoke(taken)
    await world.minutes(5)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.repeated()).toBe(0)
  })

  test('hands over to the escrow without making consumers wait for it', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const began = world.clock.now().getTime()
    await world.invoke(
      failing(world, (id, version, label) =>
        id === world.enrollment ? throttled() : world.secrets.put(id, version, label),
      ),
    )
    expect(world.clock.now().getTime() - began).toBeLessThan(60_000)
    await world.minutes(3)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.parameters.values.size).toBe(0)
  })

  test('is brought home at the next tick, not at the next renewal', async () => {
    const world = mdrWorld()
    await untilDue(world)
    await world.invoke(failing(world, throttled))
    await world.minutes(4)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.parameters.values.size).toBe(0)
  })

  test('does not touch the escrow while Secrets Manager acknowledges', async () => {
    const world = mdrWorld()
    const written: string[] = []
    const watched: Ports = {
      ...world.ports,
      parameters: {
        ...world.parameters,
        write: async (name) => void written.push(name),
      },
    }
    await world.invoke(watched)
    expect(written).toEqual([])
  })

  test('is told at once as a token at risk if the escrow fails as well', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const both: Ports = {
      ...failing(world, throttled),
      parameters: { ...world.parameters, write: throttled },
    }
    const outcome = await world.invoke(both)
    expect(outcome).toMatchObject({ outcome: 'failed', cause: 'token-at-risk' })
    expect(outcome?.error?.code).toBe('ERR_TOKEN_AT_RISK')
    expect(world.told()).toContain('token-at-risk')
  })

  test('writes the consumer document to the mirror when the quota is reached, tells once, and returns to the secret', async () => {
    const world = mdrWorld()
    await untilDue(world)
    let isFull = true
    const full = failing(world, (id, version, label) => {
      if (id === world.consumer && isFull) {
        throw new StoreError('PutSecretValue failed with LimitExceededException', 'limit')
      }
      return world.secrets.put(id, version, label)
    })
    const outcome = await world.invoke(full)
    expect(outcome).toMatchObject({ outcome: 'blocked', cause: 'version-budget' })
    const mirror = world.parameters.values.get('/token-rotator/mdr-prod/access-token') ?? '{}'
    expect(world.fake.isAlive((JSON.parse(mirror) as { access_token: string }).access_token)).toBe(
      true,
    )
    for (let minute = 0; minute < 20; minute++) {
      world.clock.advance(60)
      await world.invoke(full)
    }
    expect(world.told()).toEqual(['version-budget'])
    isFull = false
    for (let minute = 0; minute < 16; minute++) {
      world.clock.advance(60)
      await world.invoke(full)
    }
    expect(world.published()).toBe((JSON.parse(mirror) as { access_token: string }).access_token)
    expect(world.told()).toEqual(['version-budget', 'Token Recovered'])
  })

  test('spends nothing when the enrollment secret has no room for another version', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const item = world.item()
    const enrollmentWrites = Array.from({ length: 98 }, () => world.clock.now())
    await world.ledger.write({ ...item, revision: item.revision + 1, enrollmentWrites })
    const presented = world.fake.presented.size
    expect(await world.invoke()).toMatchObject({ outcome: 'blocked', cause: 'version-budget' })
    expect(world.fake.presented.size).toBe(presented)
  })

  test('loses no incident when the bus fails: it is told by the next run, under the same key', async () => {
    const world = mdrWorld()
    world.secrets.edit(world.enrollment, enrolledId, 'not json')
    const deaf: Ports = {
      ...world.ports,
      events: { emit: async () => Promise.reject(new StoreError('PutEvents failed', 'retry')) },
    }
    expect(await world.invoke(deaf)).toMatchObject({ outcome: 'blocked' })
    world.clock.advance(120)
    await world.invoke()
    expect(world.told()).toEqual(['configuration'])
  })
})

describe('a new token that does not work', () => {
  const rejecting = (world: ReturnType<typeof mdrWorld>, rejected: boolean): Ports => ({
    ...world.ports,
    connect: (connection, vendor, enrolled) => ({
      ...world.ports.connect(connection, vendor, enrolled),
      verify: async () => {
        throw new VerifyFailedError('incidents/count said no', rejected)
      },
    }),
  })

  test('is never published over one that lives, and its pair is kept', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const before = world.published()
    expect(await world.invoke(rejecting(world, true))).toMatchObject({
      outcome: 'failed',
      cause: 'verify-failed',
    })
    expect(world.published()).toBe(before)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('is not published by a run whose lease ran out while the vendor was asked', async () => {
    const world = ftdWorld()
    const frozen: Ports = {
      ...world.ports,
      connect: (connection, vendor, enrolled) => ({
        ...world.ports.connect(connection, vendor, enrolled),
        verify: async () => {
          world.clock.advance(331)
          return {}
        },
      }),
    }
    expect(await world.invoke(frozen)).toMatchObject({ outcome: 'lease-held' })
    expect(world.published()).toBeUndefined()
  })

  test('is asked about again, not renewed again, and published as soon as the vendor agrees', async () => {
    const world = mdrWorld()
    await untilDue(world)
    await world.invoke(rejecting(world, true))
    const presented = world.fake.presented.size
    world.clock.advance(60)
    expect(await world.invoke()).toMatchObject({ outcome: 'published' })
    expect(world.fake.presented.size).toBe(presented)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('that nobody could ask about goes out when the published one is nearly out', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const before = world.published()
    const unsure = rejecting(world, false)
    await world.invoke(unsure)
    expect(world.published()).toBe(before)
    for (let minute = 0; minute < 12; minute++) {
      world.clock.advance(60)
      await world.invoke(unsure)
    }
    expect(world.published()).not.toBe(before)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })
})

describe('people at work on the same secret', () => {
  const newId = '00000000-0000-4000-8000-00000000000a'

  test('an operator’s newer version is not overwritten, and their token is used', async () => {
    const world = mdrWorld()
    await untilDue(world)
    let enrollOnce = () => {
      world.fake.renew('console-token-9')
      world.enroll({ refreshToken: 'console-token-9' }, newId)
      enrollOnce = () => {}
    }
    const during: Ports = {
      ...world.ports,
      secrets: {
        ...world.secrets,
        promote: async (id, move) => {
          enrollOnce()
          return world.secrets.promote(id, move)
        },
      },
    }
    await world.invoke(during)
    await world.minutes(60)
    expect(world.fake.presented.get('console-token-9')).toBe(1)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.repeated()).toBe(0)
  })

  test('an edit that keeps the spent token in the document does not bring it back', async () => {
    const world = mdrWorld()
    const before = { ...world.secrets.current(world.enrollment) }
    await world.invoke()
    world.enroll({ ...before, clientId: 'tenant-1' }, newId)
    await world.minutes(60)
    expect(world.repeated()).toBe(0)
    expect(world.secrets.current(world.enrollment)).toMatchObject({
      clientId: 'tenant-1',
      refreshToken: world.fake.tip(),
    })
  })

  test('restoring an old version does not spend its token again', async () => {
    const world = mdrWorld()
    const first = (await world.secrets.currentId(world.enrollment)) ?? ''
    await world.minutes(200)
    world.secrets.label(world.enrollment, first)
    await world.minutes(100)
    expect(world.repeated()).toBe(0)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('restoring an old version while an answer is missing leaves the token in doubt its chance', async () => {
    const world = mdrWorld()
    const first = world.secrets.labelled(world.enrollment) ?? ''
    await world.minutes(44)
    world.clock.advance(60)
    world.fake.faults.push('error')
    expect(await world.invoke()).toMatchObject({ cause: 'token-at-risk' })
    world.secrets.label(world.enrollment, first)
    await world.minutes(20)
    expect(world.told()).toEqual(['token-at-risk', 'Token Recovered'])
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
    expect(world.repeated()).toBe(0)
  })

  test('a pasted token whose answer is missing is not given up for the pair that it replaced', async () => {
    const world = mdrWorld()
    await world.minutes(10)
    world.fake.renew('console-token-9')
    world.enroll({ refreshToken: 'console-token-9' }, newId)
    const dueAt = world.clock.now()
    world.ledger.items.set('mdr-prod', { ...world.item(), requested: true, dueAt })
    world.fake.faults.push('error')
    expect(await world.invoke()).toMatchObject({ cause: 'token-at-risk' })
    await world.minutes(60)
    expect(world.told()).toEqual(['token-at-risk', 'Token Recovered'])
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('deleting the ledger item costs freshness at most, and no token twice', async () => {
    const world = mdrWorld()
    await world.minutes(100)
    world.ledger.items.clear()
    for (let minute = 0; minute < 120; minute++) {
      await world.invoke()
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
      world.clock.advance(60)
    }
    expect(world.repeated()).toBe(0)
  })

  test('a stale read of the former version resumes its successor instead of spending again', async () => {
    const world = mdrWorld()
    await untilDue(world)
    const former = await world.secrets.read(world.enrollment)
    await world.invoke()
    const stale: Ports = {
      ...world.ports,
      secrets: {
        ...world.secrets,
        read: async (id, versionId) =>
          versionId === undefined && id === world.enrollment
            ? former
            : world.secrets.read(id, versionId),
      },
    }
    world.clock.advance((world.item().dueAt.getTime() - world.clock.now().getTime()) / 1000)
    await world.invoke(stale)
    expect(world.repeated()).toBe(0)
    expect(world.secrets.current(world.enrollment)?.refreshToken).toBe(world.fake.tip())
  })

  test('every version has one successor, under an id that follows from its own', async () => {
    const world = mdrWorld()
    await world.minutes(100)
    const versions = world.secrets.versions(world.enrollment)
    expect(versions.slice(1)).toEqual(versions.slice(0, -1).map(successorId))
  })
})

describe('a device with logins', () => {
  test('logs in once and refreshes from then on', async () => {
    const world = ftdWorld()
    await world.minutes(24 * 60)
    expect(world.fake.logins()).toBe(1)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.repeated()).toBe(0)
  })

  test('turns a login into a custom token without a second login, and ends the login after the overlap', async () => {
    const world = ftdWorld({ customToken: {} })
    await world.minutes(3)
    expect([...world.fake.sessions.values()].map(({ origin }) => origin)).toEqual([
      'password',
      'custom',
    ])
    await world.minutes(17)
    expect(world.fake.logins()).toBe(1)
    expect([...world.fake.sessions.values()].map(({ origin }) => origin)).toEqual(['custom'])
  })

  test('never has more than two sessions, whatever ends them', async () => {
    const world = ftdWorld({ customToken: {} })
    let most = 0
    for (let minute = 0; minute < 300; minute++) {
      if (minute % 97 === 50) world.fake.reboot()
      await world.invoke()
      most = Math.max(most, world.fake.sessions.size)
      world.clock.advance(60)
    }
    expect(most).toBe(2)
  })

  test('logs in again after a lost answer, without sending the refresh token twice', async () => {
    const world = ftdWorld()
    await untilDue(world)
    world.fake.faults.push('lose')
    await world.minutes(5)
    expect(world.fake.logins()).toBe(2)
    expect(world.repeated()).toBe(0)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })

  test('logs in again in the same run when the refresh token is refused', async () => {
    const world = ftdWorld()
    await untilDue(world)
    world.fake.reboot()
    expect(await world.invoke()).toMatchObject({ outcome: 'rotated' })
    expect(world.fake.logins()).toBe(2)
    expect(world.told()).toEqual([])
  })

  test('presents a refused password once, until somebody changes it', async () => {
    const world = ftdWorld()
    world.enroll({ username: 'api', password: 'wrong' }, '00000000-0000-4000-8000-00000000000b')
    await world.minutes(24 * 60)
    expect(world.fake.state.refusedLogins).toBe(1)
    expect(world.told()).toEqual(['enrollment-required', 'freshness-at-risk'])
    world.enroll({ username: 'api', password: 'made-up-1' }, '00000000-0000-4000-8000-00000000000c')
    await world.minutes(16)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.told().at(-1)).toBe('Token Recovered')
  })

  test('stays with the login’s pair when the device refuses it a custom token', async () => {
    const world = ftdWorld({ customToken: {} })
    world.fake.state.customAllowed = false
    await world.minutes(180)
    expect(world.fake.logins()).toBe(1)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
    expect(world.told()).toEqual([])
  })

  test('begins a counted chain anew when its refreshes are used up', async () => {
    const world = ftdWorld({ customToken: { desiredRefreshCount: 2 } })
    for (let minute = 0; minute < 400; minute++) {
      await world.invoke()
      expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
      world.clock.advance(60)
    }
    expect(world.fake.logins()).toBeGreaterThan(1)
    expect(world.told()).toEqual([])
  })

  test('says that another unit answers after a fail-over, and serves its token', async () => {
    const world = ftdWorld()
    await untilDue(world)
    world.fake.reboot()
    world.fake.state.serialNumber = 'JAD00000002'
    const outcome = await world.invoke()
    expect(outcome?.warning).toContain('JAD00000002')
    expect(world.item().facts.serialNumber).toBe('JAD00000002')
  })

  test('publishes no token of a unit that is not allowed', async () => {
    const world = ftdWorld({ serialNumbers: ['JAD00000001'] })
    await untilDue(world)
    const before = world.published()
    world.fake.state.serialNumber = 'JAD00000666'
    expect(await world.invoke()).toMatchObject({ cause: 'verify-failed' })
    expect(world.published()).toBe(before)
  })

  test('ends the dead time of a killed access token within the lease, should a refresh end it', async () => {
    const world = ftdWorld()
    await untilDue(world)
    world.fake.state.oldAccessDies = true
    const dying: Ports = {
      ...world.ports,
      secrets: { ...world.secrets, put: () => new Promise(() => {}) },
      parameters: { ...world.parameters, write: () => new Promise(() => {}) },
    }
    void world.invoke(dying)
    // The function is killed here; its lease runs out after time-out and grace.
    world.clock.advance(331)
    await world.minutes(2)
    expect(world.fake.isAlive(world.published() ?? '')).toBe(true)
  })
})
