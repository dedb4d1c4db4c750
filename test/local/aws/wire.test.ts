import { once } from 'node:events'
import { createConnection } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { setUp } from './setup.ts'

const request = JSON.stringify({ Name: 'a', ClientRequestToken: 'x'.repeat(32) })

describe('a request', () => {
  test('may be compressed with gzip', async () => {
    const { raw, secrets } = await setUp()
    const answer = await raw('secretsmanager.CreateSecret', gzipSync(request), {
      'content-encoding': 'gzip',
    })
    expect(answer.status).toBe(200)
    await secrets.describeSecret({ SecretId: 'a' })
  })

  test('may come in signed chunks, compressed or not', async () => {
    const { raw } = await setUp()
    const chunked = (body: Buffer) =>
      Buffer.concat([
        Buffer.from('5;chunk-signature=abc\r\n'),
        body.subarray(0, 5),
        Buffer.from(`\r\n${(body.length - 5).toString(16)}\r\n`),
        body.subarray(5),
        Buffer.from('\r\n0\r\nx-amz-checksum-crc32:abc\r\n\r\n'),
      ])
    for (const [body, encoding, outcome] of [
      [chunked(Buffer.from(request)), 'aws-chunked', { Name: 'a' }],
      // It exists by now: the body was understood this time, too.
      [chunked(gzipSync(request)), 'gzip, aws-chunked', { __type: 'ResourceExistsException' }],
    ] as const) {
      const answer = await raw('secretsmanager.CreateSecret', body, {
        'content-encoding': encoding,
      })
      expect(await answer.json()).toMatchObject(outcome)
    }
  })

  test.each([
    ['broken gzip', 'gzip', 'SerializationException', 400],
    ['broken chunks', 'aws-chunked', 'SerializationException', 400],
    ['a coding that is not known', 'br', 'UnsupportedMediaTypeException', 415],
  ])('with %s is refused', async (_, encoding, name, status) => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.CreateSecret', Buffer.from('canary'), {
      'content-encoding': encoding,
    })
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ __type: name })
  })

  test.each([
    ['that is not JSON', Buffer.from('{"SecretString": canary}'), 'SerializationException'],
    ['with a member of the wrong type', { SecretId: ['canary'] }, 'SerializationException'],
    ['without a member that is needed', {}, 'ValidationException'],
    ['with null for a member that is needed', { SecretId: null }, 'ValidationException'],
    ['with a member that is too long', { SecretId: 'canary'.repeat(400) }, 'ValidationException'],
  ])('%s is refused without quoting it', async (_, body, name) => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.GetSecretValue', body)
    expect(answer.status).toBe(400)
    const error = await answer.text()
    expect(JSON.parse(error)).toMatchObject({ __type: name })
    expect(error).not.toContain('canary')
  })

  test('takes null for a member that is absent', async () => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.ListSecrets', { MaxResults: null, NextToken: null })
    expect(await answer.json()).toEqual({ SecretList: [] })
  })

  test('that its sender breaks off does no harm', async () => {
    const { endpoint, raw } = await setUp()
    const socket = createConnection(endpoint.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{')
    socket.destroy()
    await once(socket, 'close')
    expect((await raw('secretsmanager.ListSecrets', {})).status).toBe(200)
  })

  test('of more than 16 MiB is refused', async () => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.GetSecretValue', Buffer.alloc(16 * 1024 * 1024 + 1))
    expect(answer.status).toBe(413)
  })
})

describe('an answer', () => {
  test('carries a request id and the content type of the protocol', async () => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.ListSecrets', {})
    expect(answer.headers.get('content-type')).toBe('application/x-amz-json-1.1')
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('to an operation without output is empty', async () => {
    const { raw, secrets } = await setUp()
    await secrets.createSecret({ Name: 'a' })
    const answer = await raw('secretsmanager.TagResource', { SecretId: 'a', Tags: [] })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('')
  })
})
