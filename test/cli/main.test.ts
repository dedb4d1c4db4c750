import { spawnSync } from 'node:child_process'
import { expect, onTestFinished, test, vi } from 'vitest'
import { main } from '../../lib/cli/main.ts'

/** What a command prints, to what is no terminal. */
async function printed(...argv: string[]) {
  let text = ''
  const write = (chunk: unknown) => {
    text += String(chunk)
    return true
  }
  for (const stream of [process.stdout, process.stderr]) {
    const spy = vi.spyOn(stream, 'write').mockImplementation(write)
    onTestFinished(() => spy.mockRestore())
  }
  const status = await main(argv)
  return { status, text }
}

test('help that goes into a file or a pipe has no colours', () => {
  // In an environment that asks for none, and does not say that nobody looks.
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'bin/token-rotator.ts', 'status', '--help'],
    { env: { PATH: process.env.PATH, TERM: 'xterm-256color' }, encoding: 'utf8' },
  )
  expect(stdout).toContain('--connections=<file>')
  expect(stdout).not.toContain('\u001b')
  expect(status).toBe(0)
}, 60_000)

test('a number that is taken for an option is told in one sentence', async () => {
  const { status, text } = await printed('local', '--speed', '-1')
  expect(text).toBe(
    "token-rotator: Option '--speed' argument is ambiguous; allowed: --duration, --speed, --report, --port, --data\n",
  )
  expect(status).toBe(2)
})
