import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startAwsEndpoint } from '../../../lib/local/aws/endpoint.ts'
import { setUp } from './setup.ts'

describe('the endpoint', () => {
  test('takes another free port if the one asked for is taken', async () => {
    const { endpoint } = await setUp()
    const { endpoint: other } = await setUp({ port: endpoint.port })
    expect(other.port).not.toBe(endpoint.port)
    expect(other.url).toBe(`http://127.0.0.1:${other.port}`)
    expect((await fetch(`${other.url}/_local/health`)).status).toBe(200)
  })

  test('listens on loopback only', async () => {
    const { endpoint } = await setUp()
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
    // 127.0.0.2 is loopback as well, but not what was bound: it stands in where there is no network.
    for (const { address } of [...outside, { address: '127.0.0.2' }]) {
      await expect(fetch(`http://${address}:${endpoint.port}/_local/health`)).rejects.toThrow()
    }
  })

  test('takes its region and account from the caller', async () => {
    const { secrets } = await setUp({ region: 'eu-central-1', accountId: '210987654321' })
    expect(await secrets.createSecret({ Name: 'a' })).toMatchObject({
      ARN: expect.stringMatching(/^arn:aws:secretsmanager:eu-central-1:210987654321:secret:a-/),
    })
  })

  test('draws every id from the generator it is given', async () => {
    const random = (count: number) => Buffer.alloc(count, 1)
    const { secrets, endpoint } = await setUp({ random })
    const { ARN } = await secrets.createSecret({ Name: 'a', SecretString: 'x' })
    expect(ARN).toMatch(/-BBBBBB$/)
    expect(endpoint.events()[0]?.id).toBe('01010101-0101-4101-8101-010101010101')
  })

  test('counts calls by operation, failed ones included', async () => {
    const { secrets, endpoint } = await setUp()
    await secrets.listSecrets({})
    await expect(secrets.getSecretValue({ SecretId: 'nothing' })).rejects.toThrow()
    expect(endpoint.calls()).toEqual({ ListSecrets: 1, GetSecretValue: 1 })
  })

  test('refuses what a web page sends', async () => {
    const { raw } = await setUp()
    const answer = await raw('secretsmanager.ListSecrets', {}, { origin: 'http://127.0.0.1' })
    expect(answer.status).toBe(403)
  })

  test.each([
    ['no target', ''],
    ['a service that is not played', 'Kinesis_20131202.ListStreams'],
    ['a name that every object has', 'constructor.constructor'],
    ['an operation that every object has', 'secretsmanager.constructor'],
  ])('answers a request with %s by UnknownOperationException', async (_, target) => {
    const { raw } = await setUp()
    const answer = await raw(target, {})
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ __type: 'UnknownOperationException' })
  })

  test('says what it offers beside AWS when asked for something else', async () => {
    const { endpoint } = await setUp()
    const answer = await fetch(`${endpoint.url}/_local/nothing`)
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('/_local/faults')
  })

  test('ends with clients still connected, and frees its port', async () => {
    const endpoint = await startAwsEndpoint({ port: 0 })
    // A connection that is kept alive, as every SDK does.
    await (await fetch(`${endpoint.url}/_local/health`)).text()
    // And one in the middle of its request.
    const socket = createConnection(endpoint.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n',
    )
    await once(socket, 'data')
    await endpoint.close()
    await endpoint.close()
    const successor = createServer((socket: Socket) => socket.end())
    onTestFinished(() => void successor.close())
    await new Promise<void>((resolve, reject) => {
      successor.once('error', reject).listen(endpoint.port, '127.0.0.1', resolve)
    })
  })
})
