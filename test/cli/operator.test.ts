import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { awsPorts } from '../../lib/aws/ports.ts'
import { ledgerTableName } from '../../lib/core/documents.ts'
import { deployLocally, enterLocalAccount } from '../../lib/local/account.ts'
import { type AwsEndpoint, startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { command } from './command.ts'

let endpoint: AwsEndpoint
let folder: string
let connections: string
const environment = { ...process.env }

beforeAll(async () => {
  endpoint = await startAwsEndpoint({ port: 0 })
  enterLocalAccount(endpoint.url)
  await deployLocally([{ id: 'ftd-hq' }])
  folder = await mkdtemp(join(tmpdir(), 'token-rotator-test-'))
  connections = join(folder, 'connections.json')
  await writeFile(
    connections,
    JSON.stringify([{ id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }]),
  )
})

afterAll(async () => {
  await endpoint.close()
  await rm(folder, { recursive: true })
  process.env = environment
})

const run = (args: readonly string[], input = '') =>
  command([...args, '--connections', connections], { input })

async function item() {
  const ports = awsPorts({ ledgerTable: ledgerTableName, eventBus: 'default' })
  return ports.ledger.read('cisco-ftd', 'ftd-hq')
}

describe('an operator', () => {
  test('sees that nothing has happened yet', async () => {
    const { stdout, status } = await run(['status'])
    expect(stdout).toBe('ftd-hq (cisco-ftd): not seen by any tick yet\n')
    expect(status).toBe(0)
  })

  test('is told that a rotation can only be asked for once the ledger knows the connection', async () => {
    const { stderr, status } = await run(['rotate', 'ftd-hq'])
    expect(stderr).toBe(
      'token-rotator: the ledger has no ftd-hq yet; the first tick after deployment puts it there\n',
    )
    expect(status).toBe(1)
  })

  test.each([
    ['no JSON', 'hunter2', 'standard input: allowed is a JSON object with the fields username', 2],
    ['an unknown field', '{"user":"api"}', 'user: is not a credential of cisco-ftd', 1],
    ['too little for any grant', '{"username":"api"}', 'is not enough for any grant', 1],
  ])(
    'is refused %s in one line, and nothing is stored',
    async (_title, input, message, expected) => {
      const { stderr, status } = await run(['enroll', 'ftd-hq'], input)
      expect(stderr).toContain(message)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(stderr).not.toContain('hunter2')
      expect(status).toBe(expected)
      expect(endpoint.calls().PutSecretValue ?? 0).toBe(0)
    },
  )

  test('enrolls by a pipe, and the connection is due at once', async () => {
    const { stdout, status } = await run(
      ['enroll', 'ftd-hq'],
      '{"username":"api","password":"made-up-1"}',
    )
    expect(stdout).toContain('enrolled ftd-hq')
    expect(stdout).not.toContain('made-up-1')
    expect(status).toBe(0)
    expect((await item())?.dueAt.getTime()).toBeLessThanOrEqual(Date.now())
    expect((await item())?.lease).toBeUndefined()
  })

  test('asks for a rotation, which the next tick finds', async () => {
    const { stdout, status } = await run(['rotate', 'ftd-hq'])
    expect(stdout).toContain('requested')
    expect(status).toBe(0)
    expect((await item())?.requested).toBe(true)
  })

  test('sees where a connection stands without access to any secret', async () => {
    const reads = endpoint.calls().GetSecretValue ?? 0
    const { stdout, status } = await run(['status'])
    expect(stdout).toMatch(/^ftd-hq \(cisco-ftd\): well; nothing published yet; 0 rotations/)
    expect(status).toBe(0)
    expect(endpoint.calls().GetSecretValue ?? 0).toBe(reads)
  })

  test('who names a connection that is not configured hears which ones are', async () => {
    const { stderr, status } = await run(['rotate', 'ftd-paris'])
    expect(stderr).toBe(
      "token-rotator: connection 'ftd-paris' is not configured; allowed are ftd-hq\n",
    )
    expect(status).toBe(2)
  })
})
