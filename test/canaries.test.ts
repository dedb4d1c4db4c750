import { describe, expect, test } from 'vitest'
import { prints, tracesOf } from './canaries.ts'

const secret = 'Sim-"p4ss/w+rd ü&7'

describe('a secret is found', () => {
  test.each([
    ['as it is', `password ${secret}.`],
    ['by its first twelve characters', `password ${secret.slice(0, 12)}…`],
    ['in JSON', JSON.stringify({ secret })],
    ['in JSON within JSON', JSON.stringify({ body: JSON.stringify({ secret }) })],
    ['in a URL', `https://vendor.example/?p=${encodeURIComponent(secret)}`],
    ['in a form', new URLSearchParams({ secret }).toString()],
    ['in Base64', Buffer.from(secret).toString('base64')],
    ['in Base64 after one byte', Buffer.from(`u:${secret}:`).toString('base64')],
    ['in Base64 after two bytes', Buffer.from(`:${secret}:`).toString('base64')],
    ['in Base64 of a URL', Buffer.from(`user:${secret}`).toString('base64url')],
    ['in hexadecimal', Buffer.from(`.${secret}.`).toString('hex')],
    ['in capital hexadecimal', Buffer.from(secret).toString('hex').toUpperCase()],
    ['in the cause of an error', prints(new Error('no', { cause: { data: secret } }))],
  ])('%s', (_where, text) => {
    expect(tracesOf([secret], text)).not.toEqual([])
  })
})

test('what only resembles a secret is no trace of it', () => {
  expect(tracesOf([secret], 'Sim-p4ss; password: [redacted]')).toEqual([])
})
