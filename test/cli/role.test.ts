import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { deployLocally, enterLocalAccount } from '../../lib/local/account.ts'
import { type AwsEndpoint, startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { temporaryFolder } from '../temporary.ts'
import { command } from './command.ts'
import { type Signature, session, signatureOf, startTokenService } from './token-service.ts'

const role = 'arn:aws:iam::111122223333:role/token-rotator-enroll-eu-west-1'
const forbidden = 'arn:aws:iam::111122223333:role/somebody-elses'
const credential = '{"username":"api","password":"made-up-1"}'
const connections = join(temporaryFolder(), 'connections.json')
const own = { keyId: 'local', token: undefined }
const assumed = { keyId: session.AccessKeyId, token: session.SessionToken }
const environment = { ...process.env }

let endpoint: AwsEndpoint
let tokens: Awaited<ReturnType<typeof startTokenService>>
let calls: Signature[]

/** Passes everything on to the endpoint, and keeps who signed it. */
const tap = createServer((asked, answer) => {
  calls.push(signatureOf(asked.headers))
  const { method, headers } = asked
  const passedOn = request(`${endpoint.url}${asked.url}`, { method, headers }, (given) => {
    answer.writeHead(given.statusCode ?? 500, given.headers)
    given.pipe(answer)
  })
  asked.pipe(passedOn)
})

beforeAll(async () => {
  endpoint = await startAwsEndpoint({ port: 0 })
  enterLocalAccount(endpoint.url)
  await deployLocally([{ id: 'ftd-hq' }])
  tokens = await startTokenService((arn) => arn === role)
  await once(tap.listen(0, '127.0.0.1'), 'listening')
  process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(tap.address() as AddressInfo).port}`
  process.env.AWS_ENDPOINT_URL_STS = tokens.url
  const list = [{ id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }]
  writeFileSync(connections, JSON.stringify(list))
})
beforeEach(() => {
  calls = []
})
afterAll(async () => {
  tap.close().closeAllConnections()
  tokens.close()
  await endpoint.close()
  process.env = environment
})

/** Enrolls as an operator does, by a pipe. */
const enroll = (...options: string[]) =>
  command(['enroll', 'ftd-hq', ...options, '--connections', connections], { input: credential })

/** Runs a command that reads nothing, in this process. */
async function run(...words: string[]) {
  const written = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += text
      return true
    })
  }
  const status = await main([...words, '--connections', connections])
  vi.restoreAllMocks()
  return { ...written, status }
}

describe('by a role', () => {
  test('an operator enrolls with the credentials of its session, taken once by their own', async () => {
    const before = tokens.asked.length
    const { stdout, stderr, status } = await enroll('--role', role)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout).toContain('enrolled ftd-hq')
    expect(tokens.asked.slice(before)).toEqual([{ ...own, roleArn: role }])
    expect(calls.length).toBeGreaterThan(2)
    expect(calls.filter(({ token }) => token !== session.SessionToken)).toEqual([])
    expect(calls[0]).toEqual(assumed)
  })

  test.each([['rotate', 'ftd-hq'], ['take-over', 'ftd-hq'], ['status']])(
    '%s works as well',
    async (...words) => {
      const { stderr, status } = await run(...words, '--role', role)
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
      expect(new Set(calls.map(({ token }) => token))).toEqual(new Set([session.SessionToken]))
    },
  )

  test('that may not be taken nothing is done, and one line says what to allow', async () => {
    const { stdout, stderr, status } = await run('rotate', 'ftd-hq', '--role', forbidden)
    expect(stderr).toBe(
      `token-rotator: AssumeRole of ${forbidden} was denied; allow sts:AssumeRole on it in a policy of who you are to AWS (ERR_STORE)\n`,
    )
    expect({ stdout, status, calls }).toEqual({ stdout: '', status: 1, calls: [] })
  })

  test.each(['EnrollRole', 'arn:aws:iam::111122223333:user/me', ''])(
    "that is '%s' is refused in one line, and nobody is asked for it",
    async (given) => {
      const before = tokens.asked.length
      const { stderr, status } = await run('status', '--role', given)
      expect(stderr).toBe(
        'token-rotator: --role: allowed is the ARN of a role, such as arn:aws:iam::111122223333:role/name\n',
      )
      expect({ status, asked: tokens.asked.length }).toEqual({ status: 2, asked: before })
    },
  )
})

describe('whom AWS does not let', () => {
  test('enroll is told to do it by the role', async () => {
    endpoint.inject({ operation: 'PutSecretValue', kind: 'access-denied' })
    const { stderr, status } = await enroll()
    expect(stderr).toBe(
      'token-rotator: PutSecretValue failed with AccessDeniedException (ERR_STORE); give --role with the ARN that the stack outputs as EnrollRole\n',
    )
    expect({ status, signer: calls[0] }).toEqual({ status: 1, signer: own })
  })

  test('do something by a role is not told so again', async () => {
    endpoint.inject({ operation: 'PutItem', kind: 'access-denied' })
    const { stderr, status } = await run('rotate', 'ftd-hq', '--role', role)
    expect(stderr).toBe('token-rotator: PutItem failed with AccessDeniedException (ERR_STORE)\n')
    expect(status).toBe(1)
  })
})
