import { once } from 'node:events'
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { simulators } from '../../../lib/local/simulators/index.ts'
import { kasperskyMdr } from '../../../lib/local/simulators/kaspersky-mdr.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'

async function startMdr(options: SimulatorOptions = {}) {
  const mdr = await kasperskyMdr.start({ plain: true, ...options })
  onTestFinished(() => mdr.close())
  const refreshToken = String(mdr.credential.refreshToken)
  const confirm = () =>
    fetch(`${mdr.url}/api/v1/${mdr.credential.clientId}/session/confirm`, {
      method: 'POST',
      body: JSON.stringify({ refresh_token: refreshToken }),
    })
  const count = () =>
    fetch(`${mdr.url}/api/v1/${mdr.credential.clientId}/incidents/count`, { method: 'POST' })
  return { mdr, refreshToken, confirm, count }
}

const control = (url: string, method: string, body?: unknown) =>
  fetch(url, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })

test('drop-before closes the connection and consumes nothing', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'drop-before' })
  await expect(confirm()).rejects.toThrow('fetch failed')
  expect(mdr.holds(refreshToken)).toBe('live')
  expect(mdr.counters()).toMatchObject({ calls: { 'POST session/confirm': 1 }, spends: 0 })
})

test('consume-then-drop loses a pair: the chain has a live tip that nobody holds', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'consume-then-drop' })
  await expect(confirm()).rejects.toThrow('fetch failed')
  expect(mdr.holds(refreshToken)).toBe('spent')
  expect(mdr.counters()).toMatchObject({ issued: 1, spends: 1 })
  expect(mdr.chains()).toMatchObject([{ issued: 2, tipLive: true }])
})

test.each([
  ['error-500', 500],
  ['error-503', 503],
  ['error-429', 429],
])('%s answers without effect', async (kind, status) => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind })
  expect((await confirm()).status).toBe(status)
  expect(mdr.holds(refreshToken)).toBe('live')
})

test('consume-then-500 takes effect and says otherwise', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'consume-then-500' })
  expect((await confirm()).status).toBe(500)
  expect(mdr.holds(refreshToken)).toBe('spent')
})

test('html is a page from somewhere else: 200, and nothing consumed', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'html' })
  const response = await confirm()
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/html; charset=utf-8',
  ])
  expect(await response.text()).toMatch(/^<!doctype html>/)
  expect(mdr.holds(refreshToken)).toBe('live')
})

test('empty is 200 without a body, and the token is consumed', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'empty' })
  const response = await confirm()
  expect([response.status, await response.text()]).toEqual([200, ''])
  expect(mdr.holds(refreshToken)).toBe('spent')
})

test('truncated-body announces more than it sends', async () => {
  const { mdr, confirm } = await startMdr()
  mdr.inject({ kind: 'truncated-body' })
  const response = await confirm()
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(300)
  await expect(response.text()).rejects.toThrow('terminated')
})

test('slow takes effect before the answer comes', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  mdr.inject({ kind: 'slow', ms: 3_600_000 })
  const outcome = confirm().catch((error: Error) => error.message)
  await expect.poll(() => mdr.holds(refreshToken)).toBe('spent')
  await mdr.close()
  expect(await outcome).toBe('fetch failed')
})

test('slow-body sends everything in the end', async () => {
  const { mdr, confirm } = await startMdr()
  mdr.inject({ kind: 'slow-body', ms: 10 })
  expect(Object.keys((await (await confirm()).json()) as object)).toEqual([
    'access_token',
    'refresh_token',
  ])
})

test('extra-fields adds members that nobody documented', async () => {
  const { mdr, confirm } = await startMdr()
  mdr.inject({ kind: 'extra-fields' })
  const answer = (await (await confirm()).json()) as object
  expect(Object.keys(answer)).toEqual(['access_token', 'refresh_token', 'undocumented', 'meta'])
})

test('a fault strikes the calls it is meant for, as often as asked, after those to skip', async () => {
  const { mdr, confirm, count } = await startMdr()
  mdr.inject({ kind: 'error-500', on: 'refresh', skip: 1, times: 2 })
  const statuses = []
  for (const call of [count, confirm, confirm, count, confirm, confirm]) {
    statuses.push((await call()).status)
  }
  expect(statuses).toEqual([403, 200, 500, 403, 500, 401])
})

test('a fault given at start strikes every call until it is cleared', async () => {
  const { mdr, confirm, count } = await startMdr({ fault: 'error-503' })
  for (const call of [confirm, count, confirm]) expect((await call()).status).toBe(503)
  mdr.clearFaults()
  expect((await confirm()).status).toBe(200)
})

test('a fault on an operation that the vendor does not have is refused', async () => {
  const { mdr } = await startMdr()
  expect(() => mdr.inject({ kind: 'slow', on: 'password' })).toThrow(
    "on 'password': allowed are grant, refresh, verify",
  )
})

test('an unknown fault is refused with the list of known ones', async () => {
  const { mdr } = await startMdr()
  expect(() => mdr.inject({ kind: 'nope' })).toThrow(/^fault 'nope': allowed are drop-before, /)
  await expect(kasperskyMdr.start({ fault: 'toString' })).rejects.toThrow(RangeError)
})

test('faults, counters and holdings are at hand over HTTP', async () => {
  const { mdr, refreshToken, confirm } = await startMdr()
  const faults = `${mdr.url}/_sim/faults`
  expect((await control(faults, 'POST', { kind: 'error-500', times: 'always' })).status).toBe(204)
  expect((await confirm()).status).toBe(500)
  expect((await confirm()).status).toBe(500)
  expect((await control(faults, 'DELETE')).status).toBe(204)
  expect((await confirm()).status).toBe(200)
  const counters = await (await fetch(`${mdr.url}/_sim/counters`)).json()
  expect(counters).toEqual(mdr.counters())
  expect(counters).toMatchObject({ calls: { 'POST session/confirm': 3 }, issued: 1 })
  expect(await (await fetch(`${mdr.url}/_sim/chains`)).json()).toEqual(mdr.chains())
  const holds = await control(`${mdr.url}/_sim/holds`, 'POST', { refreshToken })
  expect(await holds.json()).toEqual({ holds: 'spent' })
})

test.each([
  [{ kind: 'nope' }, /^fault 'nope': allowed are /],
  [{ kind: 'slow', delay: 3 }, /^body: allowed is /],
  [{ kind: 'slow', times: 0 }, /^body: allowed is /],
  [undefined, /^body: allowed is /],
])('a bad fault over HTTP is 400 and says what is allowed', async (body, message) => {
  const { mdr } = await startMdr()
  const response = await control(`${mdr.url}/_sim/faults`, 'POST', body)
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({ error: expect.stringMatching(message) })
})

test('a body over 8 MiB is 413', async () => {
  const { mdr } = await startMdr()
  const body = 'x'.repeat(8 * 1024 * 1024 + 1)
  const url = `${mdr.url}/api/v1/${mdr.credential.clientId}/incidents/count`
  expect((await fetch(url, { method: 'POST', body })).status).toBe(413)
})

test('an idle connection is announced no end', async () => {
  const { count } = await startMdr()
  const { headers } = await count()
  expect([headers.get('connection'), headers.get('keep-alive')]).toEqual(['keep-alive', null])
})

test('a request target that is no URL is an unknown path', async () => {
  const { mdr } = await startMdr()
  const { hostname, port } = new URL(mdr.url)
  const [response] = await once(
    request({ hostname, port, path: '//', method: 'POST' }).end(),
    'response',
  )
  expect(response.statusCode).toBe(404)
})

test.each(Object.entries(simulators))('%s stands under its own id', (id, kind) => {
  expect(kind.id).toBe(id)
})

test('the simulators print nothing, least of all tokens', async () => {
  const written: unknown[] = []
  const { stdout, stderr } = process
  const spies = [stdout, stderr].map((stream) => [stream, stream.write] as const)
  for (const [stream] of spies) stream.write = (text: unknown) => written.push(text) > 0
  try {
    const { confirm, count } = await startMdr()
    for (const call of [confirm, confirm, count]) await call()
  } finally {
    for (const [stream, write] of spies) stream.write = write
  }
  expect(written).toEqual([])
})
