import { describe, expect, test } from 'vitest'
import { type Cause, causes } from '../../lib/core/incident.ts'
import { stepsFor, wordsFor } from '../../lib/core/words.ts'
import { vendors } from '../../lib/vendors/index.ts'

const now = new Date('2026-01-01T00:00:00Z')
const until = (expiresAt: Date | null) => ({
  published: {
    versionId: 'version-1',
    issuedAt: new Date('2025-12-31T23:00:00Z'),
    expiresAt,
    held: true,
    where: 'secret' as const,
    proven: true,
  },
})
const connection = { id: 'mdr-prod', readers: ['siem-forwarder', 'soc-lake'] }
const vendor = { title: 'Kaspersky MDR', enrollmentSteps: ['open the "MDR" tab', 'press Refresh'] }

test('a person reads what, why, whom it concerns until when, and what to do', () => {
  const published = until(new Date('2026-01-01T00:34:59Z'))
  const message = 'the vendor refused the refresh token'
  const concerned = { connection, vendor }
  expect(wordsFor('enrollment-required', concerned, published, message, now)).toEqual({
    headline: 'mdr-prod (Kaspersky MDR): a person has to enroll it again.',
    happened: 'What happened: the vendor refused the refresh token.',
    reach:
      'Who is concerned: the secret token-rotator/mdr-prod/access-token is read by siem-forwarder, soc-lake. The token in it lives until 2026-01-01T00:34:59.000Z, for 34 more minutes.',
    todo: "What to do: (1) open the 'MDR' tab; (2) press Refresh; (3) run: token-rotator enroll mdr-prod.",
  })
})

test.each([
  [{}, 'It has never held a token.'],
  [until(null), 'Its session has no end of its own and dies if it is not kept alive.'],
  [until(now), 'The token in it has been dead since 2026-01-01T00:00:00.000Z.'],
  [
    until(new Date('2026-01-01T00:01:30Z')),
    'The token in it lives until 2026-01-01T00:01:30.000Z, for 1 more minute.',
  ],
])('until when readers are served is said of each state (%#)', (item, said) => {
  const concerned = { connection: { id: 'mdr-prod' }, vendor }
  const { reach } = wordsFor('verify-failed', concerned, item, undefined, now)
  expect(reach).toBe(
    `Who is concerned: the secret token-rotator/mdr-prod/access-token is read by whoever has been granted it. ${said}`,
  )
})

test('every cause has words of its own, and each of its steps says something', () => {
  const concerned = { connection, vendor }
  const headlines = causes.map((cause) => wordsFor(cause, concerned, {}, undefined, now).headline)
  expect(new Set(headlines).size).toBe(causes.length)
  for (const headline of headlines)
    expect(headline).toMatch(/^mdr-prod \(Kaspersky MDR\): \w.+\w\.$/)
  const steps = causes.map((cause) => stepsFor(cause, concerned))
  expect(new Set(steps.map((each) => each.join('; '))).size).toBe(causes.length)
  for (const step of steps.flat()) {
    expect(step).toMatch(/\w/)
    expect(step).not.toMatch(/run: token-rotator *$/)
  }
})

describe.each(causes)('of %s', (cause) => {
  test.each(Object.values(vendors))('at $title, the steps end in a command to run', (of) => {
    const steps = stepsFor(cause, { connection, vendor: of })
    expect(steps.at(-1)).toMatch(/run: token-rotator (status|(enroll|rotate|take-over) mdr-prod)$/)
  })

  test.each(Object.values(vendors))('at $title, each line stands between quotes as it is', (of) => {
    const message = 'the "answer" was\n\tnot\\JSON\u0007'
    const words = wordsFor(cause, { connection, vendor: of }, until(now), message, now)
    expect(words.happened).toBe("What happened: the 'answer' was not JSON .")
    for (const line of Object.values(words)) {
      expect(JSON.stringify(line)).toBe(`"${line}"`)
      expect(line).not.toMatch(/undefined|\[object/)
    }
  })
})

test.each<Cause>([
  'token-at-risk',
  'enrollment-required',
  'configuration',
  'verify-failed',
  'refresh-token-expiring',
  'certificate-expiring',
])('whoever may have to enroll (%s) reads the vendor’s own console steps', (cause) => {
  for (const of of Object.values(vendors)) {
    const steps = stepsFor(cause, { connection, vendor: of })
    expect(steps).toEqual(expect.arrayContaining([...of.enrollmentSteps]))
    expect(steps.at(-1)).toBe('run: token-rotator enroll mdr-prod')
  }
})
