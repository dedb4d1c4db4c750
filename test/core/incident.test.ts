import { expect, test } from 'vitest'
import { eventType } from '../../lib/core/events.ts'
import { tell } from '../../lib/core/incident.ts'

const now = new Date('2026-01-01T00:00:00Z')
const first = { id: 'incident-1', now }
const second = { id: 'incident-2', now: new Date('2026-01-01T00:01:00Z') }

test('a first cause opens an incident, under the name that is next', () => {
  expect(tell(undefined, 'configuration', first)).toEqual({
    incident: { id: 'incident-1', openedAt: now, told: ['configuration'] },
    isNews: true,
  })
})

test('another cause is news within the same incident', () => {
  const { incident } = tell(undefined, 'token-at-risk', first)
  expect(tell(incident, 'enrollment-required', second)).toEqual({
    incident: { id: 'incident-1', openedAt: now, told: ['token-at-risk', 'enrollment-required'] },
    isNews: true,
  })
})

test('the same cause is no news, and the incident stays as it is', () => {
  const { incident } = tell(undefined, 'token-at-risk', first)
  expect(tell(incident, 'token-at-risk', second)).toEqual({ incident, isNews: false })
})

test.each([
  ['token-at-risk', 'Token At Risk'],
  ['enrollment-required', 'Enrollment Required'],
  ['configuration', 'Token Rotation Failed'],
  ['verify-failed', 'Token Rotation Failed'],
  ['version-budget', 'Token Rotation Failed'],
  ['refresh-token-expiring', 'Token Rotation Failed'],
  ['freshness-at-risk', 'Token Rotation Failed'],
  ['certificate-expiring', 'Token Rotation Failed'],
] as const)('%s is told as "%s"', (cause, type) => {
  expect(eventType(cause)).toBe(type)
})
