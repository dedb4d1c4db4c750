import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { isRotatorError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type { HeldTokens, TokenSet } from '../../lib/core/vendor.ts'
import type { Oauth2Behaviour } from './fake-oauth2.ts'
import { kicsWorld } from './kics-world.ts'
import { type AnyWorld, furtherScenarios, scenarios } from './scenarios.ts'
import { incydrWorld, oauth2World } from './world.ts'

test.each([...scenarios, ...furtherScenarios])(
  'a run waits for microtasks alone, so that a simulation knows when it has come to rest ($title)',
  async ({ prepare }) => {
    const { invoke } = await prepare()
    let isOver = false
    void invoke().then(() => {
      isOver = true
    })
    await setImmediate()
    expect(isOver).toBe(true)
  },
)

/** The vendor's own client on the fake, with what is enrolled. */
function clientOf({ secrets, enrollment, vendor, connection, fake, clock }: AnyWorld) {
  const credential = secrets.current(enrollment) as Record<string, unknown>
  const client = vendor.connect(connection, credential, fake.http())
  const call = () => ({ now: clock.now(), timeoutSeconds: 5, known: {} })
  return {
    /** What a grant gave, or the code of its error. */
    async ask(name: string, held: HeldTokens = {}): Promise<TokenSet | string> {
      const grant = client.grants.find((one) => one.name === name)
      try {
        return (await grant?.request(held, call())) ?? 'no such grant'
      } catch (error) {
        return isRotatorError(error) ? error.code : String(error)
      }
    },
    introspect: (token: Redacted) => client.introspect?.(token, call()),
  }
}

const refused = 'ERR_GRANT_REFUSED'
const first: HeldTokens = { refreshToken: new Redacted('refresh-0.') }
const textOf = (set: TokenSet | string) =>
  typeof set === 'string' ? set : `${set.accessToken.reveal()} ${set.refreshToken?.reveal()}`

describe('an authorization server', () => {
  const serverOf = (behaviour: Oauth2Behaviour = {}) => {
    const world = oauth2World(behaviour)
    const { ask } = clientOf(world)
    return { ...world, refresh: (held: HeldTokens) => ask('refresh_token', held) }
  }

  test('ends the whole family, access tokens included, when a spent token is sent again', async () => {
    const { refresh, fake } = serverOf()
    const pair = (await refresh(first)) as TokenSet
    expect(fake.taken()).toEqual([pair.refreshToken?.reveal()])
    expect(fake.isAlive(pair.accessToken.reveal())).toBe(true)
    expect(await refresh(first)).toBe(refused)
    expect(fake.isAlive(pair.accessToken.reveal())).toBe(false)
    expect(await refresh(pair)).toBe(refused)
    expect(fake.tip()).toBeUndefined()
    expect([...fake.presented.values()]).toEqual([2, 1])
  })

  test('takes a spent token just once more within its grace, and gives the same pair', async () => {
    const { refresh, clock } = serverOf({ grace: { seconds: 60, gives: 'same' } })
    const pair = await refresh(first)
    clock.advance(59)
    expect(textOf(await refresh(first))).toBe(textOf(pair))
    expect(await refresh(first)).toBe(refused)
  })

  test('gives another pair within its grace, beside the former one', async () => {
    const { refresh, fake } = serverOf({ grace: { seconds: 60, gives: 'new' } })
    const pair = (await refresh(first)) as TokenSet
    const other = (await refresh(first)) as TokenSet
    expect(textOf(other)).not.toBe(textOf(pair))
    expect(fake.taken()).toEqual([pair.refreshToken?.reveal(), other.refreshToken?.reveal()])
    expect(await refresh(pair)).not.toBe(refused)
  })

  test('takes nothing twice once the grace is over', async () => {
    const { refresh, clock } = serverOf({ grace: { seconds: 60, gives: 'same' } })
    await refresh(first)
    clock.advance(60)
    expect(await refresh(first)).toBe(refused)
  })

  test('that does not rotate takes its one refresh token at any time', async () => {
    const { refresh, fake } = serverOf({ rotates: false })
    const one = (await refresh(first)) as TokenSet
    const other = (await refresh(first)) as TokenSet
    expect(other.refreshToken?.reveal()).toBe('refresh-0.')
    expect([one, other].every(({ accessToken }) => fake.isAlive(accessToken.reveal()))).toBe(true)
    expect(fake.presented.size).toBe(0)
  })

  test('tells by introspection what is spent, and nothing happens to it', async () => {
    const world = oauth2World(
      { introspects: true },
      { introspectionEndpoint: 'https://login.example.com/introspect' },
    )
    const { ask, introspect } = clientOf(world)
    const { refreshToken = new Redacted('') } = first
    expect(await introspect(refreshToken)).toBe('active')
    const pair = await ask('refresh_token', first)
    await expect(introspect(refreshToken)).rejects.toThrow('says inactive')
    expect(await ask('refresh_token', pair as TokenSet)).not.toBe(refused)
  })

  test('refuses a client whose secret is another', async () => {
    const world = oauth2World({}, { grant: 'client_credentials' })
    expect(await clientOf(world).ask('client_credentials')).toMatchObject({ tokenType: 'Bearer' })
    world.enroll({ clientSecret: 'made-up %+/= 2' }, 'version-of-an-operator')
    expect(await clientOf(world).ask('client_credentials')).toBe('ERR_CONFIG')
  })
})

describe('KICS for Networks', () => {
  test('takes a refresh token once, and its certificate at any time', async () => {
    const world = kicsWorld()
    const { ask } = clientOf(world)
    const pair = (await ask('certificate')) as TokenSet
    expect(await ask('refresh_token', pair)).toMatchObject({ grant: 'refresh_token' })
    expect(await ask('refresh_token', pair)).toBe(refused)
    expect(await ask('certificate')).toMatchObject({ grant: 'certificate' })
    expect(world.fake.taken()).toHaveLength(2)
  })

  test('lets both tokens of a pair end after ten hours', async () => {
    const world = kicsWorld()
    const { ask } = clientOf(world)
    const pair = (await ask('certificate')) as TokenSet
    world.clock.advance(35_999)
    expect(world.fake.isAlive(pair.accessToken.reveal())).toBe(true)
    world.clock.advance(1)
    expect(world.fake.isAlive(pair.accessToken.reveal())).toBe(false)
    expect(await ask('refresh_token', pair)).toBe(refused)
  })
})

describe('Incydr', () => {
  test('mints for a quarter of an hour', async () => {
    const { fake, clock, ...world } = incydrWorld()
    const { ask } = clientOf({ ...world, fake, clock })
    const { accessToken } = (await ask('client_credentials')) as TokenSet
    clock.advance(899)
    expect(fake.isAlive(accessToken.reveal())).toBe(true)
    clock.advance(1)
    expect(fake.isAlive(accessToken.reveal())).toBe(false)
  })

  test('takes a one-time code once, and the next one half a minute later', async () => {
    const world = incydrWorld('user-token')
    const { ask } = clientOf(world)
    expect(await ask('user_token')).toMatchObject({ grant: 'user_token' })
    expect(await ask('user_token')).toBe(refused)
    world.clock.advance(30)
    expect(await ask('user_token')).toMatchObject({ grant: 'user_token' })
    expect(world.fake.state).toMatchObject({ logins: 2, replayedCodes: 1 })
  })

  test('takes the refresh token of a pair once', async () => {
    const { ask } = clientOf(incydrWorld('refresh-pair'))
    const pair = (await ask('refresh_token', first)) as TokenSet
    expect(await ask('refresh_token', first)).toBe(refused)
    expect(await ask('refresh_token', pair)).toMatchObject({ grant: 'refresh_token' })
  })
})
