import { once } from 'node:events'
import { request } from 'node:https'
import {
  allowInsecureRequests,
  ClientSecretBasic,
  clientCredentialsGrantRequest,
  discoveryRequest,
  introspectionRequest,
  processClientCredentialsResponse,
  processDiscoveryResponse,
  processIntrospectionResponse,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
} from 'oauth4webapi'
import { expect, onTestFinished, test } from 'vitest'
import { type Oauth2Simulator, oauth2 } from '../../../lib/local/simulators/oauth2.ts'
import type { SimulatorOptions } from '../../../lib/local/simulators/simulator.ts'

const insecure = { [allowInsecureRequests]: true }

async function start(options: SimulatorOptions = {}): Promise<Oauth2Simulator> {
  const server = await oauth2.start({ plain: true, ...options })
  onTestFinished(() => server.close())
  return server
}

function token(
  server: Oauth2Simulator,
  form: Record<string, string>,
  credential = server.credential,
) {
  const { clientId, clientSecret } = credential
  const encode = (text: unknown) => encodeURIComponent(String(text))
  const basic = Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')
  return fetch(`${server.url}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(form),
    redirect: 'manual',
  })
}

const refresh = (server: Oauth2Simulator, refresh_token: unknown) =>
  token(server, { grant_type: 'refresh_token', refresh_token: String(refresh_token) })

interface Pair {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
}

async function pairOf(server: Oauth2Simulator, refreshToken: unknown): Promise<Pair> {
  const answer = await refresh(server, refreshToken)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Pair
}

const alerts = async ({ url }: Oauth2Simulator, accessToken: string) =>
  (await fetch(`${url}/api/alerts`, { headers: { authorization: `Bearer ${accessToken}` } })).status

test('a client library finds its way from the issuer to a pair, an introspection and its own token', async () => {
  const server = await start()
  const { issuer, clientId, clientSecret, refreshToken } = server.credential
  const url = new URL(String(issuer))
  const metadata = await processDiscoveryResponse(url, await discoveryRequest(url, insecure))
  const client = { client_id: String(clientId) }
  const authentication = ClientSecretBasic(String(clientSecret))
  const pair = await processRefreshTokenResponse(
    metadata,
    client,
    await refreshTokenGrantRequest(
      metadata,
      client,
      authentication,
      String(refreshToken),
      insecure,
    ),
  )
  expect(pair.refresh_token).not.toBe(refreshToken)
  const introspection = await processIntrospectionResponse(
    metadata,
    client,
    await introspectionRequest(metadata, client, authentication, pair.access_token, insecure),
  )
  expect(introspection).toMatchObject({ active: true, client_id: clientId })
  const own = await processClientCredentialsResponse(
    metadata,
    client,
    await clientCredentialsGrantRequest(
      metadata,
      client,
      authentication,
      { scope: 'api:read' },
      insecure,
    ),
  )
  expect(own.expires_in).toBe(1800)
  expect(await alerts(server, own.access_token)).toBe(200)
})

test('the credential is what a console would hand out, under the names of the enrollment', async () => {
  const server = await start()
  expect(Object.keys(server.credential)).toEqual([
    'issuer',
    'clientId',
    'clientSecret',
    'refreshToken',
    'tokenEndpointAuthMethod',
  ])
  expect(server.credential.issuer).toBe(server.url)
  // Whoever forgets to encode them before Base64 is refused.
  expect(server.credential.clientSecret).toMatch(/^%\+\/=: /)
})

test('a client on its own is handed no refresh token, and has no chain that could be lost', async () => {
  const server = await start({ variant: 'client_credentials' })
  expect(Object.keys(server.credential)).toEqual([
    'issuer',
    'clientId',
    'clientSecret',
    'tokenEndpointAuthMethod',
  ])
  expect((await token(server, { grant_type: 'client_credentials' })).status).toBe(200)
  expect(server.chains()).toEqual([])
})

test('metadata answers at both addresses', async () => {
  const { url } = await start()
  for (const name of ['openid-configuration', 'oauth-authorization-server']) {
    const metadata = await (await fetch(`${url}/.well-known/${name}`)).json()
    expect(metadata).toMatchObject({ issuer: url, token_endpoint: `${url}/token` })
  }
})

test('a refresh token is used up by its use, and the chain is counted', async () => {
  const server = await start()
  const { refreshToken } = server.credential
  const pair = await pairOf(server, refreshToken)
  expect(server.holds(String(refreshToken))).toBe('spent')
  expect(server.holds(pair.refresh_token)).toBe('live')
  expect(server.holds('made-up')).toBe('unknown')
  expect(server.chains()).toMatchObject([{ issued: 2, tipLive: true }])
  expect(server.counters()).toMatchObject({ issued: 1, spends: 1, presentedTwice: 0, refusals: 0 })
})

test('one that is presented again ends its family, the newest pair and its access token included', async () => {
  const server = await start()
  const { refreshToken } = server.credential
  const pair = await pairOf(server, refreshToken)
  expect(await alerts(server, pair.access_token)).toBe(200)
  expect((await refresh(server, refreshToken)).status).toBe(400)
  expect(server.holds(pair.refresh_token)).toBe('revoked')
  expect((await refresh(server, pair.refresh_token)).status).toBe(400)
  expect(await alerts(server, pair.access_token)).toBe(401)
  expect(server.counters()).toMatchObject({ spends: 3, presentedTwice: 1, refusals: 2 })
})

test('another consent begins another family, which such an end leaves alone', async () => {
  const server = await start()
  const other = await server.newRefreshToken()
  const { refreshToken } = server.credential
  await pairOf(server, refreshToken)
  await refresh(server, refreshToken)
  expect(server.holds(other)).toBe('live')
  expect(server.chains().map(({ tipLive }) => tipLive)).toEqual([false, true])
})

test('speed shortens every life', async () => {
  const server = await start({ speed: 60 })
  expect((await pairOf(server, server.credential.refreshToken)).expires_in).toBe(60)
  const own = await (await token(server, { grant_type: 'client_credentials' })).json()
  expect(own).toMatchObject({ expires_in: 30 })
})

test.each([
  ['wrong secret', { grant_type: 'client_credentials' }, 401, 'invalid_client'],
  ['unknown grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ['no refresh token', { grant_type: 'refresh_token' }, 400, 'invalid_request'],
  [
    'made-up refresh token',
    { grant_type: 'refresh_token', refresh_token: 'x' },
    400,
    'invalid_grant',
  ],
])('%s is answered as the library does', async (what, form, status, error) => {
  const server = await start()
  const secret = what === 'wrong secret' ? { clientSecret: 'another' } : {}
  const answer = await token(server, form as Record<string, string>, {
    ...server.credential,
    ...secret,
  })
  expect(answer.status).toBe(status)
  expect(await answer.json()).toMatchObject({ error })
  expect(server.counters()).toMatchObject({ refusals: 1, spends: 0 })
})

test('over TLS its authority alone verifies it', async () => {
  const server = await start({ plain: false })
  const call = request(`${server.url}/.well-known/openid-configuration`, { ca: server.ca })
  call.end()
  const [response] = await once(call, 'response')
  const [body] = await once(response, 'data')
  expect(JSON.parse(String(body))).toMatchObject({
    issuer: server.url,
    token_endpoint: `${server.url}/token`,
  })
})

test('every client authentication has its client, as the control lists', async () => {
  const server = await start({ plain: false })
  expect(Object.keys(server.clients)).toEqual([
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
    'tls_client_auth',
    'none',
  ])
  const { url } = await start()
  const listed = await (await fetch(`${url}/_sim/clients`)).json()
  expect(listed).toHaveLength(4)
  expect(listed).toContainEqual({ clientId: 'demo-none' })
})

test.each([
  ['nope', /^variant 'nope': allowed are client_secret_basic, /],
  ['tls_client_auth', / and tls_client_auth over TLS$/],
])('variant %s without TLS is refused with what is allowed', async (variant, message) => {
  await expect(oauth2.start({ plain: true, variant })).rejects.toThrow(message)
})

test.each([
  ['no-expires-in', 200, { expires_in: undefined }],
  ['zero-expires-in', 200, { expires_in: 0 }],
  ['header-injection', 200, { access_token: 'made-up\r\nX-Injected: yes' }],
  ['keep-refresh-token', 200, { refresh_token: undefined }],
  ['refuse-client', 401, { error: 'invalid_client' }],
  ['refuse', 400, { error: 'invalid_grant' }],
])('fault %s shows in the answer once', async (kind, status, members) => {
  const server = await start()
  server.inject({ kind })
  const answer = await refresh(server, server.credential.refreshToken)
  expect(answer.status).toBe(status)
  const body = (await answer.json()) as Record<string, unknown>
  for (const [name, value] of Object.entries(members)) expect(body[name]).toBe(value)
  const spared = ['keep-refresh-token', 'refuse-client', 'refuse'].includes(kind)
  expect(server.holds(String(server.credential.refreshToken))).toBe(spared ? 'live' : 'spent')
})

test('fault redirect leads to another host without effect', async () => {
  const server = await start()
  server.inject({ kind: 'redirect' })
  const answer = await refresh(server, server.credential.refreshToken)
  expect(answer.status).toBe(307)
  expect(answer.headers.get('location')).toBe('https://elsewhere.example/token')
  expect(server.holds(String(server.credential.refreshToken))).toBe('live')
})

test.each(['gzip', 'oversized'])('fault %s answers with 2 MiB and more', async (kind) => {
  const server = await start()
  server.inject({ kind })
  const answer = await refresh(server, server.credential.refreshToken)
  expect((await answer.text()).length).toBeGreaterThan(2 * 1024 * 1024)
  expect(answer.headers.get('content-encoding')).toBe(kind === 'gzip' ? 'gzip' : null)
})

test('what takes effect and is dropped is used up, and nobody has the pair', async () => {
  const server = await start()
  server.inject({ kind: 'consume-then-drop' })
  await expect(refresh(server, server.credential.refreshToken)).rejects.toThrow()
  expect(server.holds(String(server.credential.refreshToken))).toBe('spent')
  expect(server.chains()).toMatchObject([{ issued: 2, tipLive: true }])
})

test('two simulators know nothing of each other', async () => {
  const [one, other] = [await start(), await start()]
  const answer = await fetch(`${other.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'demo-none',
      refresh_token: await one.newRefreshToken('none'),
    }),
  })
  expect(await answer.json()).toMatchObject({ error: 'invalid_grant' })
})
