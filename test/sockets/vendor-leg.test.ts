import { beforeAll, describe, expect, test } from 'vitest'
import { type Fault, faults } from './faults.ts'
import { type Case, nameOf, patience, playCases } from './legs.ts'

/** Nothing but the refresh token buys another pair, so what it bought must arrive. */
const singleUse = ['mdr-demo', 'incydr-refresh-demo', 'oauth2-refresh-demo']
/** Another grant, which spends nothing, is always at hand. */
const restarting = ['ftd-demo', 'incydr-demo', 'kics-demo', 'ksc-demo']

const casesOf = (struck: readonly Fault[]): Case[] =>
  struck.flatMap((fault) => [...singleUse, ...restarting].map((demo) => ({ demo, fault })))

const legs = [
  { how: 'spoilt', cases: casesOf(faults.filter((fault) => fault !== 'drip')), ...patience.ample },
  { how: 'slower than any patience', cases: casesOf(['drip']), ...patience.short },
]

describe.each(legs)('a grant whose answer is $how', ({ cases, call, function: seconds }) => {
  let played: Awaited<ReturnType<typeof playCases>>
  beforeAll(async () => {
    played = await playCases(cases, { call, function: seconds })
  }, 180_000)
  const storyOf = (one: Case) => played.stories.get(nameOf(one))

  // Nothing was used up; or the answer was whole, whatever was said of its length.
  const spares = ['reset-before', 'length-too-long']
  const sparing = cases.filter(({ fault }) => spares.includes(fault))
  const spoiling = cases.filter(({ fault }) => !spares.includes(fault))
  const ofKind = (some: readonly Case[], kind: readonly string[]) =>
    some.filter(({ demo }) => kind.includes(demo))

  test.each([...sparing, ...ofKind(spoiling, restarting)])(
    '$demo is fresh again after $fault, and needs nobody',
    (one) => {
      expect(storyOf(one)).toMatchObject({
        isFresh: true,
        enrollments: [],
        probes: 0,
        doubleSpends: 0,
        holdsNewest: true,
      })
      expect(storyOf(one)?.told).not.toContain('enrollment-required')
    },
  )

  test.each(ofKind(spoiling, singleUse))(
    '$demo repeats its token once after $fault, then asks for an enrollment, and is fresh again',
    (one) => {
      expect(storyOf(one)).toMatchObject({
        isFresh: true,
        enrollments: ['unavoidable'],
        probes: 1,
        doubleSpends: 0,
        holdsNewest: true,
      })
      // The first warning is skipped where the repetition was due at once; and a newcomer who has
      // waited for several ticks is one whose freshness is at risk as well.
      const told = new Set(storyOf(one)?.told)
      told.delete('token-at-risk')
      told.delete('freshness-at-risk')
      expect([...told]).toEqual(['enrollment-required'])
    },
  )

  test('the simulators counted no more repetitions than these', () => {
    expect(played.presentedTwice).toBe(ofKind(spoiling, singleUse).length)
  })
})
