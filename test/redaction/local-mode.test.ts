import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { canaries } from '../canaries.ts'
import { secretsOf } from './wire.ts'

/** Every JSON document that stands in a text as a string, or is the text. */
function documentsIn(json: unknown): unknown[] {
  if (typeof json === 'string') {
    try {
      return json.startsWith('{') ? [JSON.parse(json)] : []
    } catch {
      return []
    }
  }
  return typeof json === 'object' && json !== null ? Object.values(json).flatMap(documentsIn) : []
}

test('local mode shows no credential: on its terminal, its status page or in its report', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'token-rotator-local-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const [report, data] = [join(folder, 'report.json'), join(folder, 'data')]
  const options = ['--speed', '120', '--port', '0', '--report', report, '--data', data]
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'bin/token-rotator.ts', 'local', ...options],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  ) as ChildProcessByStdio<null, Readable, Readable>
  let printed = ''
  const ended = once(child, 'exit')
  const running = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        printed += String(chunk)
        const page = /status page at (\S+)/.exec(printed)?.[1]
        // Until renewals, not only first tokens, have been told of.
        if (page !== undefined && printed.split(': rotated').length > 20) resolve(page)
      })
    }
  })
  const page = await running
  const pages = await Promise.all(
    [page, `${page}/status`, `${page}/status.json`, `${page}/?a=b`].map(async (url) =>
      (await fetch(url)).text(),
    ),
  )
  child.kill('SIGINT')
  await ended
  const states = await Promise.all(
    (await readdir(data, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  )
  const documents = states.flatMap((state) => documentsIn(JSON.parse(state)))
  const search = canaries(documents.flatMap(secretsOf))
  expect(search.size).toBeGreaterThan(40)
  const sinks = { printed, pages: pages.join('\n'), report: await readFile(report, 'utf8') }
  for (const [sink, text] of Object.entries(sinks)) {
    expect(text.length, sink).toBeGreaterThan(500)
    expect(search.find(text, sink)).toEqual([])
  }
  expect(search.find(states.join())).not.toEqual([])
})
