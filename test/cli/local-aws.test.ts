import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SecretsManager } from '@aws-sdk/client-secrets-manager'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { connect, setUp } from '../local/aws/setup.ts'

/** Runs the command in a process of its own. */
function run(...args: string[]) {
  const child = spawn(process.execPath, [
    '--import',
    'tsx',
    'bin/token-rotator.ts',
    'local-aws',
    ...args,
  ])
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, stdout: textOf(child.stdout), stderr: textOf(child.stderr) }
}

function textOf(stream: NodeJS.ReadableStream): { text: string } {
  const collected = { text: '' }
  stream.on('data', (chunk) => {
    collected.text += String(chunk)
  })
  return collected
}

/** Waits for the first line of stdout. */
async function started({ child, stdout }: ReturnType<typeof run>): Promise<{ url: string }> {
  while (!stdout.text.includes('\n')) await once(child.stdout, 'data')
  return JSON.parse(stdout.text.split('\n')[0] ?? '')
}

async function exit(child: ChildProcess): Promise<unknown> {
  const [code] = await once(child, 'close')
  return code
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'local-aws-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

describe('local-aws', () => {
  test('prints its URL as JSON on the first line and ends with status 0 on SIGTERM', async () => {
    const running = run('--port', '0')
    const { url } = await started(running)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    await connect({ url }, SecretsManager).createSecret({ Name: 'a', SecretString: 'canary' })
    running.child.kill('SIGTERM')
    expect(await exit(running.child)).toBe(0)
    expect(running.stderr.text).toBe('')
    expect(running.stdout.text).not.toContain('canary')
  })

  test('tells on stderr which other port it took, and ends with status 0 on SIGINT', async () => {
    const { endpoint } = await setUp()
    const running = run('--port', String(endpoint.port))
    const { url } = await started(running)
    expect(url).not.toBe(endpoint.url)
    running.child.kill('SIGINT')
    expect(await exit(running.child)).toBe(0)
    expect(running.stderr.text).toBe(
      `token-rotator: port ${endpoint.port} is taken, using ${new URL(url).port}\n`,
    )
  })

  test('keeps every acknowledged write through kill -9', async () => {
    const data = join(await temporaryFolder(), 'data')
    const running = run('--port', '0', '--data', data)
    const secrets = connect(await started(running), SecretsManager)
    const acknowledged: string[] = []
    const writing = (async () => {
      for (let n = 0; ; n += 1) {
        await secrets.createSecret({ Name: `secret-${n}`, SecretString: 'x'.repeat(1000) })
        acknowledged.push(`secret-${n}`)
        // In the middle of the next write.
        if (n === 20) setImmediate(() => running.child.kill('SIGKILL'))
      }
    })()
    await expect(writing).rejects.toThrow()
    for (const folder of [data, join(data, 'tables')]) {
      for (const name of await readdir(folder)) {
        expect([name, (await stat(join(folder, name))).mode & 0o077]).toEqual([name, 0])
      }
    }
    const { secrets: survivors } = await setUp({ dataDir: data })
    const { SecretList } = await survivors.listSecrets({})
    expect(SecretList?.map(({ Name }) => Name)).toEqual(expect.arrayContaining(acknowledged))
  })

  test.each([
    [['--port', '70000'], "--port '70000': allowed is a whole number from 0 to 65535"],
    [['--port', '1e3'], "--port '1e3': allowed is a whole number from 0 to 65535"],
    [['--data', ''], "--data '': allowed is the path of a folder"],
    [['--speed', '9'], "Unknown option '--speed'; allowed: --port, --data"],
  ])('refuses %j with one line and status 2', async (args, line) => {
    expect(await refused(...args)).toBe(`token-rotator: ${line}\n`)
  })

  test('refuses a --data that is a file with one line and status 2', async () => {
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, '')
    expect(await refused('--port', '0', '--data', file)).toBe(
      `token-rotator: --data: '${file}' is not a folder that can be written to (EEXIST); allowed is a folder of one's own\n`,
    )
  })
})

/** What is printed for bad input. */
async function refused(...args: string[]): Promise<string> {
  const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => printed.mockRestore())
  expect(await main(['local-aws', ...args])).toBe(2)
  return printed.mock.calls.map(([text]) => String(text)).join('')
}
