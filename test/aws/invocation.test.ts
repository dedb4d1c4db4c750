import { describe, expect, test } from 'vitest'
import { readInvocation } from '../../lib/aws/invocation.ts'

const token = '00000000-0000-4000-8000-000000000001'
const SecretId = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf'

const scheduled = {
  version: '0',
  id: token,
  'detail-type': 'Scheduled Event',
  source: 'aws.scheduler',
  account: '123456789012',
  time: '2026-01-01T00:00:00Z',
  region: 'us-east-1',
  resources: ['arn:aws:scheduler:us-east-1:123456789012:schedule/default/x'],
  detail: '{}',
}

test.each([
  ['the event of a schedule', scheduled],
  ['the event of a rule', { ...scheduled, source: 'aws.events', detail: {} }],
  ['an empty event', {}],
])('%s is a tick', (_what, event) => {
  expect(readInvocation(event)).toBe('tick')
})

test.each(['createSecret', 'setSecret', 'testSecret', 'finishSecret'])(
  '%s is a step of a rotation',
  (Step) => {
    const event = { Step, SecretId, ClientRequestToken: token, RotationToken: 'made-up-1' }
    expect(readInvocation({ ...event, Unknown: 1 })).toEqual(event)
  },
)

describe('anything else is refused', () => {
  test.each([
    ['an event of another source', { ...scheduled, 'detail-type': 'Secret Label Updated' }],
    ['an event of no shape', { hello: 'made-up-1' }],
    ['a string', 'tick'],
    ['nothing', undefined],
    ['null', null],
    ['a list', [scheduled]],
  ])('(%s)', (_what, event) => {
    const refusal = { code: 'ERR_CONFIG', field: 'event' }
    expect(() => readInvocation(event)).toThrow(expect.objectContaining(refusal))
    expect(() => readInvocation(event)).not.toThrow(/made-up-1/)
  })

  test.each([
    ['Step', { Step: 'create_secret' }],
    ['SecretId', { SecretId: '' }],
    ['ClientRequestToken', { ClientRequestToken: 'short' }],
    ['RotationToken', { RotationToken: 7 }],
  ])('with the field that is wrong (%s)', (field, more) => {
    const event = { Step: 'testSecret', SecretId, ClientRequestToken: token, ...more }
    expect(() => readInvocation(event)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', field }),
    )
  })
})
