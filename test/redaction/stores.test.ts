import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { prints } from '../canaries.ts'
import type { Answered } from '../sockets/faults.ts'
import type { Echo } from './echoes.ts'
import { everyConnection, type WatchedScene, watchedScene } from './scene.ts'

/** What every failed call to AWS threw, with all that hangs on it. */
const thrown = vi.hoisted(() => [] as unknown[])
vi.mock('../../lib/aws/store-error.ts', async (original) => {
  const actual = await original<typeof import('../../lib/aws/store-error.ts')>()
  const storeCall: typeof actual.storeCall = (call, run) =>
    actual.storeCall(call, run).catch((error) => {
      thrown.push(error)
      throw error
    })
  return { ...actual, storeCall }
})

/** Operations that are answered so together: the second one is come to when the first one fails. */
const attacked = [
  ['GetSecretValue'],
  ['PutSecretValue'],
  ['PutSecretValue', 'PutParameter'],
  ['UpdateSecretVersionStage', 'DescribeSecret'],
  ['GetParameter'],
  ['DeleteParameter'],
  ['PutItem'],
  ['GetItem'],
  ['Query'],
  ['PutEvents'],
]

/** Errors that quote what was sent or stored, as AWS's validation does, by their names there. */
const quoting = (status: number, type: string): Echo => {
  return ({ body }, said, exchange): Answered => ({
    status,
    rawHeaders: ['content-type', 'application/x-amz-json-1.1'],
    body: Buffer.from(
      JSON.stringify({
        __type: type,
        message: `Value '${exchange.body}' at 'secretString' failed; found ${said.join(' ')} ${body}`,
        Message: said.join(' '),
      }),
    ),
  })
}
const refusals: Readonly<Record<string, Echo>> = {
  throttled: quoting(400, 'ThrottlingException'),
  denied: quoting(403, 'AccessDeniedException'),
  invalid: quoting(400, 'InvalidParameterException'),
  'of a name that nobody knows': quoting(400, 'com.example#UnheardOfException'),
  'a page of a proxy': ({ body }, said, exchange) => ({
    status: 200,
    rawHeaders: ['content-type', 'text/html'],
    body: Buffer.from(`<p>${exchange.body}<p>${said.join('<p>')}<p>${body}`),
  }),
  'an answer that breaks off': (answered) => ({
    ...answered,
    body: answered.body.subarray(0, answered.body.length - 2),
  }),
}

let at: WatchedScene
beforeAll(async () => {
  const some = ['mdr-demo', 'ftd-custom-demo', 'kics-certificate-demo', 'oauth2-private-key-demo']
  at = await watchedScene(everyConnection.filter(({ id }) => some.includes(id)))
  await at.tick()
  for (const operations of attacked) {
    for (const echo of Object.values(refusals)) {
      await at.rotateAll()
      at.treat({ echo, operations })
      await at.tick(3)
      at.treat()
    }
    // Whatever was lost on the way is made good, so that the next operation is come to.
    await at.enrollAll()
    await at.tick()
  }
}, 300_000)
afterAll(() => at.close())

test('every operation was answered so', () => {
  const names = thrown.map((error) => (error as Error).message.split(' ')[0])
  // Asked only where a label is elsewhere, and where there is something to tell.
  const rare = ['DescribeSecret', 'PutEvents']
  const all = attacked.flat().filter((name) => !rare.includes(name))
  expect(all.filter((name) => !names.includes(name))).toEqual([])
  const outcomes = at.shown.join('\n')
  for (const met of ['rotated', 'ERR_STORE', 'ThrottlingException', 'AccessDeniedException']) {
    expect(outcomes.includes(met), met).toBe(true)
  }
  expect(thrown.length).toBeGreaterThan(attacked.length * Object.keys(refusals).length)
})

describe('what a store says of what it was given does not show', () => {
  test('in errors and their causes', () => {
    expect(at.search.find(thrown.map(prints).join('\n'))).toEqual([])
  })

  test.each(['standard output and error', 'what is returned or thrown', 'events', 'ledger'])(
    'in %s',
    async (sink) => {
      const text = (await at.sinks())[sink] ?? ''
      expect(text.length).toBeGreaterThan(1000)
      expect(at.search.find(text, sink)).toEqual([])
    },
  )
})
