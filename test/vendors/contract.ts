import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Connection } from '../../lib/core/connection.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { ConfigError, mayHaveSpent, type ResponseError } from '../../lib/core/errors.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import type {
  Call,
  Credential,
  Grant,
  HeldTokens,
  Http,
  TokenSet,
  Vendor,
  VendorClient,
} from '../../lib/core/vendor.ts'
import { createHttp } from '../../lib/http.ts'
import type { Simulator, SimulatorOptions } from '../../lib/local/simulators/simulator.ts'
import { prints, tracesOf } from '../canaries.ts'

/** Everything that the contract has to know of a vendor. */
export interface VendorCase<S extends Simulator> {
  readonly vendor: Vendor
  readonly start: (options?: SimulatorOptions) => Promise<S>
  /** The vendor's own options of a connection to the simulator; `tls.ca` is added. */
  readonly options: (simulator: S) => Record<string, unknown>
  /** The options that put every call of the vendor on another server; by default its `url`. */
  readonly elsewhere?: (url: string) => Record<string, unknown>
  /** The enrolled fields beside the refresh token. */
  readonly credential: (simulator: S) => Credential
  /** A call that a consumer makes with the published headers. */
  readonly consume: (simulator: S) => { method: 'GET' | 'POST'; url: string; json?: unknown }
  readonly grants: readonly GrantCase<S>[]
  /** What the operation that verifies is called by faults; absent: the vendor cannot verify. */
  readonly verify?: {
    readonly on: string
    readonly sent: (simulator: S, accessToken: string) => Sent
  }
  /** Credentials of the wrong shape, and the field that the error names. */
  readonly misshapen: readonly { readonly credential: Credential; readonly field: string }[]
}

/** One of the vendor's grants. */
export interface GrantCase<S extends Simulator> {
  readonly name: string
  readonly spends: Grant['spends']
  /** What the simulator's faults call it. */
  readonly on: string
  /** Brings the vendor to where the grant is usable. @returns what is then held */
  readonly prepare: (bench: VendorBench<S>) => Promise<HeldTokens>
  readonly sent: (simulator: S, held: HeldTokens) => Sent
  /** The vendor's answer with these tokens in it. */
  readonly answer: (accessToken: string, refreshToken: string) => unknown
  /** Where this grant departs from `lost` below. */
  readonly departs?: Readonly<Record<string, Loss>>
}

/** A request, byte for byte: the line, the decoded JSON body, and whether it authenticates itself. */
export interface Sent {
  readonly line: string
  readonly body?: unknown
  /** The whole header; by default there is none. */
  readonly authorization?: string
}

/** How a call ends whose answer is not an answer. */
export interface Loss {
  readonly code: string
  readonly spent: boolean
}

/** A vendor at work against its simulator. */
export interface VendorBench<S extends Simulator> {
  readonly simulator: S
  readonly connection: Connection
  readonly http: Http
  readonly client: VendorClient
  readonly call: (more?: Partial<Call>) => Call
  readonly grant: (name: string) => Grant
}

/** By fault: what each leaves behind, unless a vendor's page says otherwise. */
const lost: Readonly<Record<string, Loss>> = {
  'drop-before': { code: 'ERR_TRANSPORT', spent: true },
  'consume-then-drop': { code: 'ERR_TRANSPORT', spent: true },
  'truncated-body': { code: 'ERR_TRANSPORT', spent: true },
  slow: { code: 'ERR_TRANSPORT', spent: true },
  'slow-body': { code: 'ERR_TRANSPORT', spent: true },
  'consume-then-500': { code: 'ERR_RESPONSE', spent: true },
  'error-500': { code: 'ERR_RESPONSE', spent: true },
  'error-503': { code: 'ERR_RESPONSE', spent: true },
  'error-429': { code: 'ERR_RESPONSE', spent: true },
  html: { code: 'ERR_RESPONSE', spent: true },
  empty: { code: 'ERR_RESPONSE', spent: true },
  refuse: { code: 'ERR_GRANT_REFUSED', spent: true },
}

/** A time-out for answers that never come; those that come take a few milliseconds. */
const impatience = { timeoutSeconds: 0.5 }

/** Starts the vendor's simulator and connects to it, both gone with the test. */
export async function bench<S extends Simulator>(
  row: Pick<VendorCase<S>, 'vendor' | 'start' | 'options' | 'credential'>,
  { options = {}, ...rest }: SimulatorOptions & { options?: Record<string, unknown> } = {},
): Promise<VendorBench<S>> {
  const simulator = await row.start(rest)
  onTestFinished(() => simulator.close())
  const { vendor } = row
  const tls = simulator.ca === undefined ? {} : { tls: { ca: simulator.ca } }
  const connection = connectionOf(vendor, { ...row.options(simulator), ...options, ...tls })
  const http = createHttp(connection.tls)
  const client = vendor.connect(connection, row.credential(simulator), http)
  onTestFinished(() => client.close())
  return {
    simulator,
    connection,
    http,
    client,
    call: (more = {}) => ({ now: new Date(), timeoutSeconds: 10, known: {}, ...more }),
    grant: (name) => grantOf(client, name),
  }
}

export function connectionOf(vendor: Vendor, options: Record<string, unknown>): Connection {
  const [connection] = decodeConnections([{ id: 'under-test', vendor: vendor.id, ...options }], {
    [vendor.id]: vendor,
  })
  return connection ?? expect.unreachable('no connection')
}

export function grantOf(client: VendorClient, name: string): Grant {
  return client.grants.find((grant) => grant.name === name) ?? expect.unreachable(`no ${name}`)
}

/** What a call throws; that it shows none of these secrets is checked by the way. */
export async function thrownBy(call: Promise<unknown>, secrets: readonly string[]) {
  const error = await call.then(
    () => expect.unreachable('the call was answered'),
    (thrown: unknown) => thrown,
  )
  // Anything shorter is found by chance.
  const long = secrets.filter(({ length }) => length >= 8)
  expect(tracesOf(long, prints(error))).toEqual([])
  return error as Error & { code?: string }
}

/** A plain server that answers everything alike and writes down what it was asked. */
export async function recorder(status: number, answer: unknown) {
  const seen: { line: string; body: unknown; authorization: string | undefined; type: unknown }[] =
    []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      const { method, url, headers } = request
      seen.push({
        line: `${method} ${url}`,
        body: text === '' ? undefined : JSON.parse(text),
        authorization: headers.authorization,
        type: headers['content-type'],
      })
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

/** The secrets that a call works with. */
export function secretsOf(held: HeldTokens, credential: Credential): string[] {
  const tokens = [held.accessToken, held.refreshToken].flatMap((token) => token?.reveal() ?? [])
  const { password, clientSecret, privateKey, totpSecret } = credential
  const enrolled = [password, clientSecret, privateKey, totpSecret]
  return [...tokens, ...enrolled.filter((field) => typeof field === 'string')]
}

/** The contract that every vendor keeps, shown against its simulator over real sockets. */
export function vendorContract<S extends Simulator>(row: VendorCase<S>): void {
  const { vendor } = row

  describe.each(row.grants)(`${vendor.id}, grant $name`, (grantCase) => {
    const { name, on, spends } = grantCase
    const prepared = async () => {
      const at = await bench(row)
      const held = await grantCase.prepare(at)
      const secrets = secretsOf(held, row.credential(at.simulator))
      return { ...at, held, grant: at.grant(name), secrets }
    }

    test('gives a token that the vendor takes and whose headers serve a consumer', async () => {
      const { simulator, http, client, grant, held, call } = await prepared()
      expect(grant.usable(held, new Date())).toBe(true)
      const now = new Date()
      const tokens = await grant.request(held, call({ now }))
      expect(tokens).toMatchObject({ grant: name, issuedAt: now })
      if (tokens.expiresAt !== null)
        expect(tokens.expiresAt.getTime()).toBeGreaterThan(now.getTime())
      await client.verify?.(tokens, call())
      const before = simulator.counters().authorized
      const headers = client.headers(tokens)
      const answer = await http.request({
        name: 'consumer',
        ...row.consume(simulator),
        headers,
        timeoutSeconds: 10,
      })
      expect(answer.status).toBe(200)
      expect(simulator.counters().authorized).toBe(before + 1)
    })

    test(`declares that it spends ${spends}, and does`, async () => {
      const { simulator, grant, held, call, secrets } = await prepared()
      expect(grant.spends).toBe(spends)
      const before = simulator.counters().spends
      await grant.request(held, call())
      expect(simulator.counters().spends - before).toBe(spends === 'nothing' ? 0 : 1)
      if (spends === 'nothing') return
      const error = await thrownBy(grant.request(held, call()), secrets)
      expect(error).toMatchObject({ code: 'ERR_GRANT_REFUSED' })
      expect(mayHaveSpent(error)).toBe(true)
      expect(simulator.counters().presentedTwice).toBe(1)
    })

    test('takes an answer with fields that nobody documented', async () => {
      const { simulator, grant, held, call } = await prepared()
      simulator.inject({ kind: 'extra-fields', on })
      expect(await grant.request(held, call())).toMatchObject({ grant: name })
    })

    test.each(Object.entries({ ...lost, ...grantCase.departs }))(
      'makes of %s %o',
      async (kind, { code, spent }) => {
        const { simulator, grant, held, call, secrets } = await prepared()
        simulator.inject({ kind, on, ms: 60_000 })
        const patience = kind.startsWith('slow') ? impatience : {}
        const error = await thrownBy(grant.request(held, call(patience)), secrets)
        expect(error).toMatchObject({ code })
        expect(mayHaveSpent(error)).toBe(spent)
      },
    )

    test('sends exactly what the vendor documents', async () => {
      const { simulator, held, secrets } = await prepared()
      const server = await recorder(200, grantCase.answer('made-up-access', 'made-up-refresh'))
      const { client, call } = connectTo(server.url, simulator)
      const tokens = await grantOf(client, name).request(held, call)
      expect(tokens.accessToken.reveal()).toBe('made-up-access')
      const { line, body, authorization } = grantCase.sent(simulator, held)
      const type = body === undefined ? undefined : 'application/json'
      expect(server.seen).toEqual([{ line, body, authorization, type }])
      expect(secrets.some((secret) => server.seen[0]?.line.includes(secret))).toBe(false)
    })

    test.each([
      ['access', 'a\r\nX-Injected: 1', 'made-up-refresh'],
      ['refresh', 'made-up-access', 'r\r\nX-Injected: 1'],
      ['access', 'with space', 'made-up-refresh'],
      ['access', '', 'made-up-refresh'],
    ])('refuses an %s token that would break a header', async (which, access, refresh) => {
      const { simulator, held } = await prepared()
      const answer = grantCase.answer(access, refresh)
      if (!JSON.stringify(answer).includes(JSON.stringify(refresh).slice(1, -1))) return
      const server = await recorder(200, answer)
      const { client, call } = connectTo(server.url, simulator)
      const request = grantOf(client, name).request(held, call)
      const error = await thrownBy(
        request,
        [access, refresh].filter((token) => token.length > 5),
      )
      expect(error).toMatchObject({ code: 'ERR_RESPONSE', spent: 'maybe' })
      // The token that was sent is used up by now: without the new one the chain would end here.
      if (spends === 'nothing') return
      const { kept } = error as ResponseError
      expect(kept?.refreshToken.reveal()).toBe(which === 'access' ? refresh : undefined)
    })
  })

  /** The vendor's client, on a server that is not its simulator. */
  function connectTo(url: string, simulator: S) {
    const elsewhere = row.elsewhere?.(url) ?? { url }
    const connection = connectionOf(vendor, { ...row.options(simulator), ...elsewhere })
    const client = vendor.connect(connection, row.credential(simulator), createHttp())
    onTestFinished(() => client.close())
    return { client, call: { now: new Date(), timeoutSeconds: 10, known: {} } }
  }

  const { verify } = row
  describe.runIf(verify !== undefined)(`${vendor.id}, verify`, () => {
    const on = verify?.on ?? ''
    const granted = async () => {
      const at = await bench(row)
      const [first] = row.grants
      if (first === undefined) return expect.unreachable('no grant')
      const tokens = await at.grant(first.name).request(await first.prepare(at), at.call())
      return { ...at, tokens, secrets: secretsOf(tokens, row.credential(at.simulator)) }
    }
    const asked = (client: VendorClient, tokens: TokenSet, call: Call) =>
      client.verify?.(tokens, call) ?? expect.unreachable('no verify')

    test('says of a made-up token that the vendor rejected it', async () => {
      const { client, tokens, call, secrets } = await granted()
      const madeUp = { ...tokens, accessToken: new Redacted('made-up-token-of-nobody') }
      const secret = [...secrets, 'made-up-token-of-nobody']
      const error = await thrownBy(asked(client, madeUp, call()), secret)
      expect(error).toMatchObject({ code: 'ERR_VERIFY_FAILED', rejected: true })
    })

    test.each(Object.keys(lost).filter((kind) => !/^(consume|refuse)/.test(kind)))(
      'does not say so of a good token under %s',
      async (kind) => {
        const { simulator, client, tokens, call, secrets } = await granted()
        simulator.inject({ kind, on, ms: 60_000 })
        const patience = kind.startsWith('slow') ? impatience : {}
        const error = await thrownBy(asked(client, tokens, call(patience)), secrets)
        expect(['ERR_VERIFY_FAILED', 'ERR_TRANSPORT', 'ERR_RESPONSE']).toContain(error.code)
        expect(error).not.toMatchObject({ rejected: true })
      },
    )

    test('sends exactly what the vendor documents', async () => {
      const { simulator, tokens } = await granted()
      const server = await recorder(500, {})
      const { client, call } = connectTo(server.url, simulator)
      const known = { ...tokens, accessToken: new Redacted('made-up-access') }
      await thrownBy(asked(client, known, call), ['made-up-access'])
      expect(server.seen).toMatchObject([verify?.sent(simulator, 'made-up-access') ?? {}])
    })
  })

  describe(`${vendor.id}, credential`, () => {
    test.each(row.misshapen)('names the field $field that has the wrong shape', async (found) => {
      const { simulator, http } = await bench(row)
      const options = row.options(simulator)
      const connection = connectionOf(vendor, options)
      const values = Object.values(found.credential).filter((value) => typeof value === 'string')
      const call = Promise.resolve().then(() => vendor.connect(connection, found.credential, http))
      const error = await thrownBy(call, values)
      expect(error).toBeInstanceOf(ConfigError)
      expect(error).toMatchObject({ code: 'ERR_CONFIG', field: found.field })
    })

    test.each(vendor.credentialFields.filter((field) => !(field in vendor.options.entries)))(
      'never stands in the configuration: %s is refused there without being repeated',
      async (field) => {
        const { simulator } = await bench(row)
        const options = { ...row.options(simulator), [field]: 'typed-into-the-wrong-file' }
        const call = Promise.resolve().then(() => connectionOf(vendor, options))
        const error = await thrownBy(call, ['typed-into-the-wrong-file'])
        expect(error).toMatchObject({ code: 'ERR_CONFIG', field: `connections[0].${field}` })
      },
    )
  })
}
