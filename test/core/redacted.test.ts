import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Redacted } from '../../lib/core/redacted.ts'

test('a credential is shown as redacted, whatever turns it into text', () => {
  const secret = new Redacted('do-not-print')
  expect(`${secret}`).toBe('[redacted]')
  expect(JSON.stringify({ secret })).toBe('{"secret":"[redacted]"}')
  expect(inspect(secret)).toBe('[redacted]')
  expect(inspect({ nested: [secret] })).toBe('{ nested: [ [redacted] ] }')
})

test('a credential is given to who asks for it by name', () => {
  expect(new Redacted('for-the-wire').reveal()).toBe('for-the-wire')
})
