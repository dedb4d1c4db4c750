import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { afterAll, describe, expect, onTestFinished, type TestContext, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { demoConnections } from '../../lib/local/demo-connections.ts'

const folder = mkdtemp(join(tmpdir(), 'token-rotator-'))
afterAll(async () => rm(await folder, { recursive: true, force: true }))

/** Runs a command in a process of its own, gone with the test. */
function run({ onTestFinished }: Pick<TestContext, 'onTestFinished'>, ...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'bin/token-rotator.ts', ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  const printed = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    printed.stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    printed.stderr += String(chunk)
  })
  return { child, printed }
}

async function exit(child: ChildProcess): Promise<unknown> {
  const [status] = await once(child, 'close')
  return status
}

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const Report = v.strictObject({
  durationSeconds: v.number(),
  rotations: Count,
  spends: Count,
  doubleSpends: Count,
  lostPairs: Count,
  reads: Count,
  deadReads: Count,
  connections: v.array(
    v.strictObject({
      connection: v.string(),
      vendor: v.string(),
      rotations: Count,
      state: v.string(),
    }),
  ),
})
const readReport = async (path: string) => v.parse(Report, JSON.parse(await readFile(path, 'utf8')))

/** What no output may hold: a JWT, or the password of a simulated device. */
const secrets = /eyJ[\w-]{10}|Sim-[0-9a-f]{8}/

describe.concurrent('local mode', { timeout: 90_000 }, () => {
  test('loses nothing, spends nothing twice and serves no dead token, and says so', async (context) => {
    const path = join(await folder, 'report.json')
    const { child, printed } = run(
      context,
      ...['local', '--duration', '25', '--speed', '60', '--port', '0', '--report', path],
    )
    expect(await exit(child)).toBe(0)
    const report = await readReport(path)
    expect(report).toMatchObject({ doubleSpends: 0, lostPairs: 0, deadReads: 0 })
    expect(report.durationSeconds).toBeGreaterThanOrEqual(25)
    expect(report.spends).toBeGreaterThan(0)
    expect(report.rotations).toBeGreaterThanOrEqual(report.spends)
    expect(report.reads).toBeGreaterThan(50)
    const rotated = report.connections.map(({ rotations }) => rotations)
    expect(rotated.length).toBeGreaterThanOrEqual(3)
    expect(Math.min(...rotated)).toBeGreaterThan(0)
    expect(rotated.reduce((sum, rotations) => sum + rotations, 0)).toBe(report.rotations)

    const lines = printed.stdout.split('\n')
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(lines.slice(0, 3).join('\n')) ?? []
    expect(url).toBeDefined()
    expect(printed.stdout).toContain(
      `aws --endpoint-url ${url} --region us-east-1 --no-sign-request secretsmanager get-secret-value --secret-id token-rotator/mdr-demo/access-token`,
    )
    expect(lines.at(-2)).toContain(
      `${report.spends} refresh tokens spent, 0 spent twice, 0 pairs lost; ${report.reads} reads, 0 of a dead token`,
    )
    expect(printed.stderr).toBe('')
    expect(printed.stdout).not.toMatch(secrets)
    expect(JSON.stringify(report)).not.toMatch(secrets)
  })

  test('rotates when Secrets Manager is asked to, and ends on SIGTERM with its report', async (context) => {
    const path = join(await folder, 'native.json')
    const { child, printed } = run(
      context,
      ...['local', '--speed', '60', '--port', '0', '--report', path],
    )
    const asked = ['mdr-demo', 'ftd-demo', 'ksc-demo', 'incydr-demo', 'kics-demo']
    while (asked.some((id) => !printed.stdout.includes(`${id}: rotated`))) {
      await once(child.stdout, 'data')
    }
    const [endpoint = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed.stdout) ?? []
    const secrets = new SecretsManager({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    })
    context.onTestFinished(() => secrets.destroy())
    for (const id of asked) {
      const SecretId = `token-rotator/${id}/access-token`
      expect(await secrets.describeSecret({ SecretId })).toMatchObject({ RotationEnabled: true })
      await secrets.rotateSecret({ SecretId })
      await vi.waitUntil(
        async () => (await secrets.describeSecret({ SecretId })).LastRotatedDate !== undefined,
        { timeout: 30_000, interval: 100 },
      )
    }
    child.kill('SIGTERM')
    expect(await exit(child)).toBe(0)
    expect(await readReport(path)).toMatchObject({ doubleSpends: 0, lostPairs: 0, deadReads: 0 })
    expect(printed.stderr).toBe('')
    expect(printed.stdout).toContain('0 spent twice')
  })

  test('ends on SIGINT with its report', async (context) => {
    const path = join(await folder, 'SIGINT.json')
    const { child, printed } = run(
      context,
      ...['local', '--speed', '60', '--port', '0', '--report', path],
    )
    // Every connection has rotated once: then there is something to report.
    while (demoConnections.some(({ id }) => !printed.stdout.includes(`${id}: rotated`))) {
      await once(child.stdout, 'data')
    }
    child.kill('SIGINT')
    expect(await exit(child)).toBe(0)
    expect(await readReport(path)).toMatchObject({ doubleSpends: 0, lostPairs: 0, deadReads: 0 })
    expect(printed.stderr).toBe('')
    expect(printed.stdout).toContain('0 spent twice')
  })
})

/** Runs a command in this process. @returns its status and what it printed */
async function command(...argv: string[]) {
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    const spy = vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      printed[stream] += String(chunk)
      return true
    })
    onTestFinished(() => spy.mockRestore())
  }
  return { status: await main(argv), ...printed }
}

// The first use of a command loads all that it needs.
describe('bad input', { timeout: 30_000 }, () => {
  test.each([
    [[], 'no command given'],
    [['rotat'], "unknown command 'rotat'"],
    [['local', '--sped', '60'], "'--sped'"],
    [['local', 'now'], 'argument at place 1'],
    [['local', '--speed'], '--speed'],
    [['local', '--port', '70000'], "--port '70000'"],
    [['local', '--port', '-1'], '--port'],
    [['local', '--port', '80.5'], "--port '80.5'"],
    [['local', '--speed', '0'], "--speed '0'"],
    [['local', '--speed', '601'], "--speed '601'"],
    [['local', '--speed', '1e2'], "--speed '1e2'"],
    [['local', '--duration', 'abc'], "--duration 'abc'"],
    [['local', '--duration', '0'], "--duration '0'"],
    [['local', '--duration', ''], "--duration ''"],
    [
      ['local', '--report', '/nowhere/at/all/report.json'],
      "--report '/nowhere/at/all/report.json'",
    ],
    [['local-aws', '--port', '70000'], "--port '70000'"],
    [['local-aws', '--data', ''], "--data ''"],
    [['simulate'], '<vendor>'],
    [['simulate', 'nobody'], "'nobody'"],
    [['simulate', 'cisco-ftd', '--fault', 'gremlins'], "'gremlins'"],
    [['simulate', 'cisco-ftd', '--speed', '0'], "--speed '0'"],
    [['simulate', 'cisco-ftd', '--port', 'https'], "--port 'https'"],
    [['enroll'], '<connection>'],
    [['rotate'], '<connection>'],
    [['enroll', 'one', 'two'], 'argument at place 2'],
    [['status', '--verbose'], "'--verbose'"],
    [['status', '--connections', '/nowhere/connections.json'], '/nowhere/connections.json'],
    [['rotate', 'any', '--connections', '/nowhere/connections.json'], 'cannot be read'],
  ])('%j is answered with one line that names it, and status 2', async (argv, named) => {
    const { status, stdout, stderr } = await command(...argv)
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^token-rotator: .*\n$/)
    expect(stderr).toContain(named)
  })

  test.each(['local', 'local-aws'])('%s --data with a file is answered likewise', async (name) => {
    const file = join(await folder, `${name}.txt`)
    await writeFile(file, 'not a folder')
    const { status, stderr } = await command(name, '--port', '0', '--data', file)
    expect(status).toBe(2)
    expect(stderr).toMatch(/^token-rotator: --data: .*\n$/)
  })

  test.each(['enroll', 'rotate'])(
    '%s of a connection that is not configured names those that are',
    async (name) => {
      const connections = join(await folder, 'connections.json')
      await writeFile(
        connections,
        '[{"id":"mdr-prod","vendor":"kaspersky-mdr","clientId":"tenant-1"}]',
      )
      const { status, stderr } = await command(name, 'mdr-prd', '--connections', connections)
      expect(status).toBe(2)
      expect(stderr).toBe(
        "token-rotator: connection 'mdr-prd' is not configured; allowed are mdr-prod\n",
      )
    },
  )

  test('connections of the wrong shape are answered with the field', async () => {
    const connections = join(await folder, 'wrong.json')
    await writeFile(connections, '[{"id":"Not Allowed","vendor":"kaspersky-mdr"}]')
    const { status, stderr } = await command('status', '--connections', connections)
    expect(status).toBe(2)
    expect(stderr).toMatch(/^token-rotator: connections\[0\]\.id: .*\n$/)
  })
})
