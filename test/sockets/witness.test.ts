import { describe, expect, test } from 'vitest'
import { createWitness, presentedIn } from './witness.ts'

const exchange = (body: string) => ({ method: 'POST', path: '/token', headers: {}, body })
const present = (token: string) => exchange(JSON.stringify({ refresh_token: token }))
const giving = (token: string) => ({
  status: 200,
  rawHeaders: [],
  body: Buffer.from(JSON.stringify({ access_token: 'a', refresh_token: token })),
})

/** A vendor that has used up the first token and given the second for it. */
function afterOneGrant() {
  const witness = createWitness((token) => (token === 'first' ? 'spent' : 'live'))
  witness.enrolled('first')
  witness.forwarded(present('first'))
  witness.answered(present('first'), giving('second'))
  return witness
}

test.each([
  ['JSON', { path: '/', body: '{"refresh_token":"abc"}' }],
  ['JSON in camel case', { path: '/', body: '{"refreshToken":"abc"}' }],
  ['a form', { path: '/', body: 'grant_type=refresh_token&refresh_token=a%62c' }],
  ['the query', { path: '/token?refresh_token=abc&x=1', body: '' }],
])('a refresh token is recognised in %s', (_where, request) => {
  expect(presentedIn(request)).toBe('abc')
})

test('a grant type is no refresh token', () => {
  expect(presentedIn({ path: '/', body: 'grant_type=refresh_token&scope=x' })).toBeUndefined()
})

describe('a used-up token that is given again', () => {
  test('is the one repetition allowed while no store has seen its pair, and a double spend the third time', () => {
    const witness = afterOneGrant()
    witness.forwarded(present('first'))
    expect(witness.counts).toEqual({ doubleSpends: 0, probes: 1 })
    witness.forwarded(present('first'))
    expect(witness.counts).toEqual({ doubleSpends: 1, probes: 1 })
  })

  test('is a double spend at once if a store had its pair', () => {
    const witness = afterOneGrant()
    witness.stored('{"tokens":{"refreshToken":"second"}}')
    witness.forwarded(present('first'))
    expect(witness.counts).toEqual({ doubleSpends: 1, probes: 0 })
  })
})

describe('a person who is called', () => {
  test('could not be spared if no store ever had the pair', () => {
    expect(afterOneGrant().verdict()).toBe('unavoidable')
  })

  test('was called for nothing if a store had a pair that still lives', () => {
    const witness = afterOneGrant()
    witness.stored('second')
    expect(witness.newest()).toBe('second')
    expect(witness.verdict()).toBe('never-arrived')
  })

  test('is the sign of a loss if the vendor gave nothing for the token', () => {
    const witness = createWitness(() => 'revoked')
    witness.enrolled('first')
    witness.forwarded(present('first'))
    expect(witness.verdict()).toBe('lost')
  })
})
