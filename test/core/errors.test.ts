import { describe, expect, test } from 'vitest'
import {
  type AnyRotatorError,
  ConfigError,
  describeError,
  GrantRefusedError,
  isRotatorError,
  LeaseHeldError,
  mayHaveSpent,
  ResponseError,
  StoreError,
  TokenAtRiskError,
  TransportError,
  VerifyFailedError,
} from '../../lib/core/errors.ts'

const cause = new Error('why')

/** One of each class, with what is shown of it. */
const table: readonly (readonly [AnyRotatorError, string, string, string])[] = [
  [new ConfigError('url', 'is odd', { cause }), 'ConfigError', 'ERR_CONFIG', 'url: is odd'],
  [
    new TransportError('no answer', 'no', { cause }),
    'TransportError',
    'ERR_TRANSPORT',
    'no answer',
  ],
  [
    new ResponseError('odd answer', { status: 418 }, { cause }),
    'ResponseError',
    'ERR_RESPONSE',
    'odd answer (status 418)',
  ],
  [
    new GrantRefusedError('no', { reason: 'invalid_grant' }, { cause }),
    'GrantRefusedError',
    'ERR_GRANT_REFUSED',
    'no (invalid_grant)',
  ],
  [new VerifyFailedError('no', true, { cause }), 'VerifyFailedError', 'ERR_VERIFY_FAILED', 'no'],
  [new LeaseHeldError('taken', { cause }), 'LeaseHeldError', 'ERR_LEASE_HELD', 'taken'],
  [new StoreError('down', 'retry', { cause }), 'StoreError', 'ERR_STORE', 'down'],
  [new TokenAtRiskError('lost', { cause }), 'TokenAtRiskError', 'ERR_TOKEN_AT_RISK', 'lost'],
]

describe('every error that an operator can meet', () => {
  test.each(table)(
    '%s is known by its name, its code and its message',
    (error, name, code, message) => {
      expect({ name: error.name, code: error.code, message: error.message }).toEqual({
        name,
        code,
        message,
      })
      expect(error.cause).toBe(cause)
      expect(isRotatorError(error)).toBe(true)
      expect(describeError(error)).toEqual({ code, message })
    },
  )

  test('tells what is worth knowing beside its message', () => {
    expect(new ConfigError('url', 'is odd').field).toBe('url')
    expect(new VerifyFailedError('no', true).rejected).toBe(true)
    expect(new VerifyFailedError('unknown', false).rejected).toBe(false)
    expect(new StoreError('full', 'limit').kind).toBe('limit')
    expect(new ResponseError('odd', { status: 418 }).status).toBe(418)
    expect(new GrantRefusedError('no', { reason: 'invalid_grant', status: 400 })).toMatchObject({
      reason: 'invalid_grant',
      status: 400,
      message: 'no (invalid_grant, status 400)',
    })
  })

  test('says nothing of what it does not know', () => {
    expect(new GrantRefusedError('no', { reason: 'tls' }).status).toBeUndefined()
    expect(new TransportError('no answer', 'no').refused).toBeUndefined()
    expect(new TransportError('no', 'no', { refused: 'client-certificate' }).refused).toBe(
      'client-certificate',
    )
  })

  test('names the keys of an odd answer, never what they hold', () => {
    const message = (keys: string[]) => new ResponseError('odd', { status: 200, keys }).message
    expect(message(['token', 'error'])).toBe('odd (status 200, keys: token, error)')
    expect(message([])).toBe('odd (status 200, keys: none)')
  })
})

describe('what was presented may have been used up', () => {
  test.each<[string, unknown, boolean]>([
    ['a request that never left', new TransportError('unreachable', 'no'), false],
    ['one without an answer', new TransportError('no answer', 'maybe'), true],
    ['an odd answer', new ResponseError('odd', { status: 500 }), true],
    [
      'one that the vendor’s page excuses',
      new ResponseError('busy', { status: 429, spent: 'no' }),
      false,
    ],
    ['a refusal', new GrantRefusedError('no', { reason: 'invalid_grant' }), true],
    ['a credential of the wrong shape', new ConfigError('password', 'is empty'), false],
    ['a lease that is another’s', new LeaseHeldError('taken'), false],
    ['a store that failed', new StoreError('down', 'retry'), false],
    ['a token that was tried', new VerifyFailedError('no', true), false],
    ['a pair that no store took', new TokenAtRiskError('lost'), true],
    ['an error of unknown origin', new Error('bug'), true],
    ['something that is no error', 'thrown', true],
  ])('after %s: %j, %s', (_title, error, expected) => {
    expect(mayHaveSpent(error)).toBe(expected)
  })
})

describe('an error of unknown origin', () => {
  test('is shown by its class alone: its message may hold the URL, and so a token', () => {
    expect(describeError(new TypeError('fetch failed: https://example.com/?token=secret'))).toEqual(
      {
        code: 'ERR_UNEXPECTED',
        message: 'unexpected TypeError',
      },
    )
    expect(describeError('secret')).toEqual({
      code: 'ERR_UNEXPECTED',
      message: 'unexpected string',
    })
    expect(isRotatorError(new Error('bug'))).toBe(false)
  })
})
