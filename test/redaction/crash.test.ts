import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { everyConnection, type WatchedScene, watchedScene } from './scene.ts'

// A crash leaves a diagnostic report of Node's and its last words on standard error. Heap snapshots and
// core dumps hold all memory, so whatever a run works with: nothing can keep them clean, and Lambda
// makes neither.

let at: WatchedScene
let onStore: () => void
const ids = ['mdr-demo', 'ftd-custom-demo', 'oauth2-private-key-demo', 'ksc-totp-demo']

// One scene each: a function that was killed leaves its lease behind.
beforeEach(async () => {
  const parts = everyConnection.filter(({ id }) => ids.includes(id))
  at = await watchedScene(parts, ({ headers }) => {
    if (headers['x-amz-target'] === 'secretsmanager.PutSecretValue') onStore?.()
  })
})
afterEach(() => at.close())

/** Lets the functions crash when they have a new pair and the store has not answered yet. */
async function crash(death: 'exception' | 'rejection' | 'memory', words: string) {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-crash-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await at.enrollAll()
  const vendors = [...new Set(at.members.map(({ demo }) => demo.vendor))]
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', '--max-old-space-size=192'],
      ...['--report-on-fatalerror', '--report-uncaught-exception', `--report-directory=${folder}`],
      fileURLToPath(new URL('crash-child.ts', import.meta.url)),
      JSON.stringify(vendors),
    ],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: functionEnvironment() },
  ) as ChildProcessByStdio<null, Readable, Readable>
  const stored = new Promise<void>((resolve) => {
    onStore = resolve
  })
  // Byte by byte, which is longer than the process lives.
  at.treat({ fault: 'drip', operations: ['PutSecretValue'] })
  const ended = once(child, 'exit')
  const printed = Promise.all([text(child.stdout), text(child.stderr)])
  await stored
  child.send({ death, words })
  const [code, signal] = await ended
  at.treat()
  const reports = (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8'))
  return {
    code,
    signal,
    report: (await Promise.all(reports)).join(),
    printed: (await printed).join('\n'),
  }
}

/** What a deployed function finds; nothing of the test run's own. */
function functionEnvironment(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => /^(AWS_|TOKEN_ROTATOR_|PATH$)/.test(name))
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}

test.each([
  ['an exception that nobody catches', 'exception', 'uncaughtException|Exception'],
  ['a rejection that nobody handles', 'rejection', 'Exception'],
  ['the end of its memory', 'memory', 'OOMError|Allocation failed|heap'],
] as const)(
  '%s in the middle of a run leaves no credential behind',
  async (_title, death, trigger) => {
    const { code, signal, report, printed } = await crash(death, 'made-up last words')
    expect(code === 0 && signal === null).toBe(false)
    const { header, environmentVariables } = JSON.parse(report)
    expect(`${header.event} ${header.trigger}`).toMatch(new RegExp(trigger))
    expect(environmentVariables.TOKEN_ROTATOR_CONNECTIONS).toBeDefined()
    expect(printed).toMatch(death === 'memory' ? /heap out of memory/ : /made-up last words/)
    expect(at.search.find(report, 'report')).toEqual([])
    expect(at.search.find(printed, 'standard output and error')).toEqual([])
  },
)

test('a crash that says a token would be noticed', async () => {
  const [token = ''] = at.known('ksc-totp-demo')
  const { report, printed } = await crash('exception', `not taken: ${token}`)
  expect(at.search.find(report)).not.toEqual([])
  expect(at.search.find(printed)).not.toEqual([])
})
