import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'

async function run(...args: string[]): Promise<{ status: number; stderr: string }> {
  let stderr = ''
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
  const status = await main(args).finally(() => write.mockRestore())
  return { status, stderr }
}

test.each([
  [['nope'], /^vendor 'nope': allowed are kaspersky-mdr, cisco-ftd(, [\w-]+)*$/],
  [['cisco-ftd', '--speed', '0'], "--speed '0': allowed is a number from 0.01 to 1000000"],
  [['cisco-ftd', '--speed', 'fast'], "--speed 'fast': allowed is a number from 0.01 to 1000000"],
  [['cisco-ftd', '--port', '70000'], "--port '70000': allowed is a whole number from 0 to 65535"],
  [
    ['cisco-ftd', '--fault', 'family-revocation'],
    /^--fault 'family-revocation': allowed are .*, rebooted, failover$/,
  ],
  [[], /^missing argument <vendor>: /],
])('bad input %j is one line on stderr and exit status 2', async (args, message) => {
  const { status, stderr } = await run('simulate', ...args)
  expect(status).toBe(2)
  const [line, ...rest] = stderr.split('\n')
  expect(line?.replace(/^token-rotator: /, '')).toMatch(message)
  expect(rest).toEqual([''])
})

test('the first line says where the vendor is, with what, and how to trust it; SIGTERM ends it well', async () => {
  const args = ['--import', 'tsx', 'bin/token-rotator.ts', 'simulate', 'cisco-ftd', '--speed', '60']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line))
  const [first] = await once(reader, 'line')
  const { url, credential, ca } = JSON.parse(String(first))
  expect(credential).toEqual({ username: 'admin', password: expect.any(String) })

  const call = request(`${url}/api/fdm/latest/fdm/token`, { method: 'POST', ca })
  call.end(JSON.stringify({ grant_type: 'password', ...credential }))
  const [response] = await once(call, 'response')
  const [body] = await once(response, 'data')
  expect(JSON.parse(String(body))).toMatchObject({ expires_in: 30, refresh_expires_in: 40 })

  child.kill('SIGTERM')
  const [status] = await once(child, 'exit')
  expect(status).toBe(0)
  expect(lines).toHaveLength(1)
})

test('with --plain there is no certificate, and the port is the one asked for', async () => {
  const args = ['--import', 'tsx', 'bin/token-rotator.ts', 'simulate', 'kaspersky-mdr', '--plain']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [first] = await once(createInterface(child.stdout), 'line')
  const line = JSON.parse(String(first))
  expect(Object.keys(line)).toEqual(['url', 'credential'])
  expect(line.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const taken = await run('simulate', 'cisco-ftd', '--port', new URL(line.url).port)
  expect(taken).toEqual({
    status: 2,
    stderr: `token-rotator: --port '${new URL(line.url).port}' is not free (EADDRINUSE): allowed is a free one, or 0\n`,
  })
  child.kill('SIGINT')
  const [status] = await once(child, 'exit')
  expect(status).toBe(0)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s that comes twice, as from a terminal and from npm, ends it as one does',
  async (signal) => {
    const command = ['run', '-s', 'token-rotator', '--', 'simulate', 'kaspersky-mdr', '--plain']
    // A group of its own, as a terminal gives: the signal reaches npm, and npm passes it on.
    const npm = spawn('npm', command, { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    const group = -(npm.pid ?? 0)
    onTestFinished(() => {
      if (npm.exitCode === null) process.kill(group, 'SIGKILL')
    })
    const [first] = await once(createInterface(npm.stdout), 'line')
    const { url } = JSON.parse(String(first))
    process.kill(group, signal)
    const [status] = await once(npm, 'exit')
    expect(status).toBe(0)
    await expect(fetch(url)).rejects.toThrow()
  },
)
