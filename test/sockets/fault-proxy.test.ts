import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHttp } from '../../lib/http.ts'
import { createAuthority, type IssuedCertificate } from '../../lib/local/certificate.ts'
import { type HttpServer, serve } from '../../lib/local/simulators/http-server.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Fault, faults } from './faults.ts'

let server: HttpServer
let seen = 0
let ca: string
let certificate: IssuedCertificate
beforeAll(async () => {
  const authority = await createAuthority('fault proxy test', new Date())
  ca = authority.ca
  certificate = await authority.issue({ usage: 'server', commonName: 'fault proxy test' })
  server = await serve(0, undefined, async () => {
    seen += 1
    return { status: 200, json: { answer: 'whole', url: server.url } }
  })
})
afterAll(() => server.close())

/** Asks through a proxy that spoils the first exchange alone. */
async function ask(fault: Fault | undefined) {
  const struck = [fault]
  const proxy: FaultProxy = await startFaultProxy({
    upstream: server.url,
    certificate,
    fault: () => struck.shift(),
    dripMilliseconds: 200,
  })
  const http = createHttp({ ca })
  const before = seen
  const request = { name: 'test', method: 'GET', url: `${proxy.url}/`, timeoutSeconds: 1 } as const
  const answer = await http.request(request).catch((error: unknown) => error)
  const times = seen - before
  await http.close()
  await proxy.close()
  return { answer, times, url: proxy.url }
}

test('without a fault an answer passes, with the address that was asked', async () => {
  const { answer, times, url } = await ask(undefined)
  expect(answer).toMatchObject({ status: 200, json: { answer: 'whole', url } })
  expect(times).toBe(1)
})

test('length-too-long cannot hide an answer that has come whole', async () => {
  const { answer, times } = await ask('length-too-long')
  expect(answer).toMatchObject({ status: 200, json: { answer: 'whole' } })
  expect(times).toBe(1)
})

const cut = faults.filter((fault) => !/^5|^length/.test(fault))
test.each(cut)('%s leaves a client without an answer, and without knowing', async (fault) => {
  const { answer, times } = await ask(fault)
  expect(answer).toMatchObject({ code: 'ERR_TRANSPORT', sent: 'maybe' })
  expect(times).toBe(fault === 'reset-before' ? 0 : 1)
})

test('length-too-short gives a body that ends in its middle', async () => {
  const { answer, times } = await ask('length-too-short')
  expect(answer).toMatchObject({ status: 200, json: undefined })
  expect(times).toBe(1)
})

test.each(['502-after', '503-after'] as const)(
  '%s hides that the server did its work',
  async (fault) => {
    const { answer, times } = await ask(fault)
    expect(answer).toMatchObject({ status: Number(fault.slice(0, 3)), json: undefined })
    expect(times).toBe(1)
  },
)
