import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createHttp } from '../lib/http.ts'
import { createSelfSigned } from '../lib/local/certificate.ts'

const now = new Date()

async function serverWith({ key, cert }: { key: string; cert: string }) {
  const server = createServer({ key, cert }, (_request, response) => void response.end('{}'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return async (ca: string, serverName = 'localhost') => {
    const http = createHttp({ ca, serverName })
    onTestFinished(() => http.close())
    const url = `https://127.0.0.1:${port}/`
    return (await http.request({ name: 'any', method: 'GET', url, timeoutSeconds: 5 })).status
  }
}

const [current, reserve] = await Promise.all([
  createSelfSigned({ usage: 'server', commonName: 'server' }, now),
  createSelfSigned({ usage: 'server', commonName: 'server' }, now),
])

test.each([[current.cert + reserve.cert], [reserve.cert + current.cert]])(
  'of several self-signed certificates of one name each is trusted for itself',
  async (ca) => {
    for (const shown of [current, reserve]) {
      expect(await (await serverWith(shown))(ca)).toBe(200)
    }
  },
)

test('a self-signed certificate of the same name that is not among them is refused', async () => {
  const get = await serverWith(current)
  await expect(get(reserve.cert)).rejects.toMatchObject({ code: 'ERR_TRANSPORT', sent: 'no' })
})

test('a trusted certificate still has to name the host', async () => {
  const get = await serverWith(current)
  await expect(get(current.cert, 'ksc.example.com')).rejects.toMatchObject({
    message: expect.stringContaining('the certificate names another host'),
    sent: 'no',
  })
})
