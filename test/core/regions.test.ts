import { describe, expect, test } from 'vitest'
import { twoRegions } from './two-regions.ts'

describe('of two regions', () => {
  test('one is at work and the other stands by, and nobody is told of it', async () => {
    const { minutes, home, away, fake, repeated } = twoRegions()
    const outcomes = await minutes(120)
    expect(outcomes.filter((what) => what === 'home rotated')).toHaveLength(3)
    expect(new Set(outcomes)).toEqual(new Set(['home rotated', 'away standby']))
    expect([home.told(), away.told()]).toEqual([[], []])
    expect(repeated()).toBe(0)
    expect(fake.presented.size).toBe(3)
  })

  test('the one at work says so in what it holds, from the first take-over on', async () => {
    const { minutes, home, away, promote } = twoRegions()
    await minutes(10)
    const before = home.secrets.current(home.enrollment)
    expect(before).not.toHaveProperty('epoch')
    expect(before).not.toHaveProperty('home')
    promote()
    const taken = await away.takeOver()
    await minutes(60)
    const { epoch, home: region } = away.secrets.current(away.enrollment) ?? {}
    expect([{ epoch }, region]).toEqual([taken, 'eu-west-1'])
  })

  test('the promoted one goes on at once with a pair that was certainly not sent, the other being gone', async () => {
    const { minutes, home, away, cut, promote, clock, repeated, fake } = twoRegions()
    await minutes(10)
    cut.home = true
    promote()
    expect(await away.takeOver()).toEqual({ epoch: expect.any(Number) })
    const outcomes = await minutes(60, ['away'])
    expect(outcomes.slice(0, 2)).toEqual(['away published', 'away rotated'])
    expect(away.told()).toEqual([])
    expect(fake.isAlive(away.published() ?? '')).toBe(true)
    expect(repeated()).toBe(0)

    // The primary comes back, with its own secret, ledger and schedule.
    cut.home = false
    const sent = fake.presented.size
    clock.advance(1)
    const both = await minutes(120)
    expect(both).toContain('home standby')
    expect(both).not.toContain('home rotated')
    expect(fake.presented.size).toBeGreaterThan(sent)
    expect(repeated()).toBe(0)
    expect(home.told()).toEqual(['stood-down'])
    expect(away.told()).toEqual([])

    // And fails back.
    expect(await home.takeOver()).toEqual({ epoch: expect.any(Number) })
    const back = await minutes(120)
    expect(back).toContain('home rotated')
    expect(back.slice(3)).not.toContain('away rotated')
    expect(home.told()).toEqual(['stood-down', 'Token Recovered'])
    expect(away.told()).toEqual(['stood-down'])
    expect(repeated()).toBe(0)
  })
})

describe('a region that takes over while the other cannot be reached', () => {
  test('counts as sent what the other has announced, waits for its run to end, and tries it once', async () => {
    const { minutes, away, cut, promote, fake, repeated } = twoRegions()
    await minutes(44)
    // The vendor's answer is lost, and the region with it.
    fake.faults.push('lose')
    await minutes(2, ['home'])
    expect(fake.presented.size).toBe(2)
    cut.home = true
    promote()
    await away.takeOver()
    await minutes(5, ['away'])
    expect(away.item().intent).toMatchObject({ kind: 'first', refused: false })
    expect(away.told()).toEqual(['token-at-risk'])
    expect(repeated()).toBe(0)
    await minutes(10, ['away'])
    expect(away.told().slice(0, 2)).toEqual(['token-at-risk', 'enrollment-required'])
    expect(repeated()).toBe(1)
  })

  test('doubts a pair that is newer than what it heard of, and one that nobody announced', async () => {
    const { minutes, away, cut, promote, clock } = twoRegions()
    await minutes(10)
    const { heard: _, ...rest } = away.item()
    away.ledger.items.set('mdr-prod', rest)
    cut.home = true
    promote()
    await away.takeOver()
    await away.invoke()
    expect(away.item().intent).toMatchObject({ grant: 'unheard of', kind: 'first' })
    expect(away.item().intent?.at.getTime()).toBeGreaterThan(clock.now().getTime())
  })

  test('doubts what was held past the time at which the other may have gone on without it', async () => {
    const { minutes, away, cut, promote, clock } = twoRegions()
    await minutes(10)
    cut.home = true
    clock.advance(2700)
    promote()
    await away.takeOver()
    await away.invoke()
    expect(away.item().intent).toMatchObject({ grant: 'unheard of' })
  })

  test('fetches the newest pair when the other is back, if what it has is used up', async () => {
    const { minutes, home, away, cut, promote, fake, repeated, replicate } = twoRegions()
    await minutes(46)
    replicate()
    // Rotated at the last moment: the pair is in that region alone.
    let isOver = false
    while (!isOver) isOver = (await minutesHome()).includes('home rotated')
    async function minutesHome() {
      const outcome = await home.invoke()
      home.clock.advance(60)
      return outcome === undefined ? [] : [`home ${outcome.outcome}`]
    }
    const newest = fake.tip()
    cut.home = true
    promote()
    await away.takeOver()
    await minutes(3, ['away'])
    expect(away.item().intent).toBeDefined()
    cut.home = false
    const outcomes = await minutes(60)
    expect(outcomes).toContain('away rotated')
    expect([...fake.presented.keys()]).toContain(newest)
    expect(repeated()).toBe(0)
    expect(away.item().takingOver).toBeUndefined()
    expect(home.item().standing).toMatchObject({ region: 'eu-west-1' })
  })
})

describe('a region that takes over while the other is at work', () => {
  test('waits for the run there to end, and goes on with the pair that it got', async () => {
    const { minutes, home, away, promote, fake, repeated, clock } = twoRegions()
    await minutes(20)
    promote()
    // A run at work there, as it stands in the ledger.
    const expiresAt = new Date(clock.now().getTime() + 300_000)
    const lease = { runId: 'at work', expiresAt }
    home.ledger.items.set('mdr-prod', { ...home.item(), lease })
    await away.takeOver()
    expect(await away.invoke()).toMatchObject({ outcome: 'blocked' })
    expect(fake.presented.size).toBe(1)
    clock.advance(301)
    expect(await away.invoke()).toMatchObject({ outcome: 'published' })
    await minutes(60)
    expect([fake.presented.size, repeated()]).toEqual([2, 0])
  })

  test('does not write what is still a replica, sends nothing, and says what to run', async () => {
    const { minutes, away, fake } = twoRegions()
    await minutes(40)
    await away.takeOver()
    expect(await away.invoke()).toMatchObject({
      outcome: 'blocked',
      cause: 'configuration',
      message: expect.stringContaining(
        'aws secretsmanager stop-replication-to-replica --region eu-west-1 --secret-id',
      ),
    })
    expect(fake.presented.size).toBe(1)
  })
})

describe('without leave', () => {
  test('no refresh token is sent, and a person is told if that lasts', async () => {
    const { minutes, home, cut, fake, repeated } = twoRegions()
    await minutes(40)
    cut.away = true
    const outcomes = await minutes(30, ['home'])
    expect(new Set(outcomes)).toEqual(new Set(['home blocked']))
    expect(fake.presented.size).toBe(1)
    expect(home.item().intent).toBeUndefined()
    expect(home.told()).toEqual(['region-unreachable', 'freshness-at-risk'])

    // Told to go on without it, it doubts, and sends at the last moment.
    await home.takeOver()
    const alone = await minutes(30, ['home'])
    expect(alone).toContain('home recovered')
    expect(repeated()).toBe(0)
    expect(home.told().at(-1)).toBe('Token Recovered')

    // Back again, it is asked again.
    cut.away = false
    await minutes(60)
    expect(home.item().takingOver).toBeUndefined()
    cut.away = true
    const sent = fake.presented.size
    await minutes(60, ['home'])
    expect(fake.presented.size).toBe(sent)
  })

  test('a ledger item that was deleted does not hide who is at work', async () => {
    const { minutes, home, away, promote, fake, repeated } = twoRegions()
    await minutes(10)
    promote()
    await away.takeOver()
    await minutes(60)
    away.ledger.items.delete('mdr-prod')
    home.ledger.items.delete('mdr-prod')
    const sent = fake.presented.size
    await minutes(180)
    expect(home.item().standing).toMatchObject({ region: 'eu-west-1' })
    expect(away.item().standing).toMatchObject({ region: 'eu-west-1' })
    expect(fake.presented.size).toBeGreaterThan(sent)
    expect(home.repeated()).toBe(repeated())
  })
})
