import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { expect, onTestFinished, test } from 'vitest'
import { eventBridgeSink } from '../../lib/aws/event-bridge.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import { connect } from '../local/aws/setup.ts'
import { portsOnEndpoint } from './ports-on-endpoint.ts'

const event: RotatorEvent = {
  type: 'Enrollment Required',
  idempotencyKey: 'run-7/enrollment-required',
  detail: {
    schema: 1,
    connection: 'mdr-prod',
    vendor: 'kaspersky-mdr',
    at: '2026-01-01T00:00:00.000Z',
    outcome: 'blocked',
    cause: 'enrollment-required',
    steps: ['open the console', 'press Refresh'],
  },
}

/** A bus that refuses an entry this many times, in a 200, and keeps what it was sent. */
async function bus(refusals: number) {
  const bodies: unknown[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      bodies.push(JSON.parse(text))
      const isRefused = bodies.length <= refusals
      const entry = isRefused ? { ErrorCode: 'ThrottlingException' } : { EventId: 'event-1' }
      response.setHeader('content-type', 'application/x-amz-json-1.1')
      response.end(JSON.stringify({ FailedEntryCount: isRefused ? 1 : 0, Entries: [entry] }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pauses: number[] = []
  const pause = async (milliseconds: number) => void pauses.push(milliseconds)
  const sink = eventBridgeSink(connect({ url }, EventBridgeClient), 'security', pause)
  return { bodies, pauses, sink }
}

test('an event stands on the bus as it is documented, its key in the detail', async () => {
  const { endpoint, events } = await portsOnEndpoint()
  await events.emit(event)
  expect(endpoint.events()).toMatchObject([
    {
      source: 'token-rotator',
      'detail-type': 'Enrollment Required',
      eventBusName: 'default',
      detail: { idempotencyKey: 'run-7/enrollment-required', ...event.detail },
    },
  ])
})

test('an entry that is refused twice is put a third time, unchanged', async () => {
  const { bodies, sink } = await bus(2)
  await sink.emit(event)
  expect(bodies).toHaveLength(3)
  expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1)
  expect(bodies[0]).toMatchObject({ Entries: [{ EventBusName: 'security' }] })
})

test('an entry that is refused three times is an error that says how', async () => {
  const { bodies, pauses, sink } = await bus(9)
  await expect(sink.emit(event)).rejects.toMatchObject({
    code: 'ERR_STORE',
    kind: 'retry',
    message: 'PutEvents refused the entry with ThrottlingException',
  })
  expect(bodies).toHaveLength(3)
  expect(pauses).toEqual([100, 400])
})
