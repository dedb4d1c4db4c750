import type { Connection } from '../../lib/core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import type { Outcome } from '../../lib/core/release.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { Ports } from '../../lib/core/run.ts'
import { tick } from '../../lib/core/tick.ts'
import type { Vendor } from '../../lib/core/vendor.ts'
import { ciscoFtd } from '../../lib/vendors/cisco-ftd.ts'
import { code42Incydr } from '../../lib/vendors/code42-incydr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { kasperskySecurityCenter } from '../../lib/vendors/kaspersky-security-center.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { fakeIncydr, incydrCredential } from './fake-incydr.ts'
import { fakeKsc } from './fake-ksc.ts'
import { fakeOauth2, type Oauth2Behaviour, oauth2Client, oauth2Issuer } from './fake-oauth2.ts'
import { type FakeVendor, fakeFtd, fakeMdr } from './fake-vendors.ts'
import {
  manualClock,
  memoryEvents,
  memoryLedger,
  memoryParameters,
  memorySecrets,
} from './memory.ts'

export const start = new Date('2026-01-01T00:00:00Z')
export const enrolledId = '00000000-0000-4000-8000-000000000001'

/** One connection, its vendor, and every port in memory; the shipped engine between them. */
export function world<V extends FakeVendor>(
  vendor: Vendor,
  connection: Connection,
  makeFake: (now: () => Date) => V,
) {
  const clock = manualClock(start)
  const fake = makeFake(clock.now)
  const enrollment = enrollmentSecretId(connection.id)
  const consumer = consumerSecretId(connection.id)
  const secrets = memorySecrets([enrollment, consumer])
  const ledger = memoryLedger()
  const parameters = memoryParameters()
  const events = memoryEvents()
  const ports: Ports & { connect: Ports['connect'] } = {
    secrets,
    ledger,
    parameters,
    events,
    clock,
    timings: defaultTimings,
    connect: (_connection, _vendor, { credential }) =>
      vendor.connect(connection, credential, fake.http()),
  }
  let runs = 0
  /** One scheduled invocation, by the function's five minutes. */
  const invoke = async (through: Ports = ports): Promise<Outcome | undefined> => {
    const end = clock.now().getTime() + 300_000
    const remainingSeconds = () => (end - clock.now().getTime()) / 1000
    const newRunId = () => `run-${++runs}`
    const connections = [connection]
    return (await tick({ vendor, connections, remainingSeconds, newRunId }, through))[0]
  }
  return {
    clock,
    fake,
    secrets,
    ledger,
    parameters,
    events,
    ports,
    connection,
    vendor,
    enrollment,
    consumer,
    invoke,
    enroll: (document: object, versionId = enrolledId) =>
      secrets.edit(enrollment, versionId, JSON.stringify(document)),
    /** Ticks once a minute. @returns the outcomes that were more than "not due" */
    async minutes(count: number): Promise<Outcome[]> {
      const outcomes: Outcome[] = []
      for (let minute = 0; minute < count; minute++) {
        const outcome = await invoke()
        if (outcome !== undefined) outcomes.push(outcome)
        clock.advance(60)
      }
      return outcomes
    },
    item: () => ledger.item(connection.id),
    /** What stands in stores beside these, e.g. in another region. */
    elsewhere: (): readonly string[] => [],
    /** The access token that consumers read. */
    published: () => secrets.current(consumer)?.access_token as string | undefined,
    told: () =>
      events.emitted
        .filter(({ type }) => type !== 'Token Rotated')
        .map(({ type, detail }) => detail.cause ?? type),
    /** Every refresh token that was presented, in order of its first presentation. */
    tokens: () => [...fake.presented.keys()],
    /** Presentations beyond the first, over all refresh tokens. */
    repeated: () => [...fake.presented.values()].reduce((sum, times) => sum + times - 1, 0),
  }
}

export function mdrWorld(options: Record<string, unknown> = {}) {
  const connection = {
    id: 'mdr-prod',
    vendor: 'kaspersky-mdr',
    options: { clientId: 'tenant-1', url: 'https://mdr.example.com', ...options },
  }
  const made = world(kasperskyMdr, connection, (now) => fakeMdr(now, 'console-token-1'))
  made.enroll({ refreshToken: 'console-token-1' })
  return made
}

export function ftdWorld(options: Record<string, unknown> = {}) {
  const connection = {
    id: 'ftd-hq',
    vendor: 'cisco-ftd',
    options: { url: 'https://192.0.2.10', ...options },
  }
  const made = world(ciscoFtd, connection, (now) => fakeFtd(now))
  made.enroll({ username: 'api', password: 'made-up-1' })
  return made
}

export function kscWorld(options: Record<string, unknown> = {}) {
  const connection = {
    id: 'ksc-hq',
    vendor: 'kaspersky-security-center',
    options: { url: 'https://ksc.example.com:13299', ...options },
  }
  const made = world(kasperskySecurityCenter, connection, (now) => fakeKsc(now))
  made.enroll({ username: 'openapi', password: 'made-up-1' })
  return made
}

/** One of the three ways in, with what the console gives for it. */
export function incydrWorld(flow: 'api-client' | 'user-token' | 'refresh-pair' = 'api-client') {
  const { enrolled, options } = incydrFlows[flow]
  const connection = {
    id: 'incydr-soc',
    vendor: 'code42-incydr',
    options: { flow, url: 'https://api.example.com', ...options },
  }
  const { refreshToken } = enrolled
  const made = world(code42Incydr, connection, (now) => fakeIncydr(now, refreshToken))
  made.enroll(enrolled)
  return made
}

interface IncydrFlow {
  readonly enrolled: Readonly<Record<string, string>>
  readonly options: object
}
const incydrFlows: Readonly<Record<'api-client' | 'user-token' | 'refresh-pair', IncydrFlow>> = {
  'api-client': { enrolled: incydrCredential.client, options: {} },
  'user-token': {
    enrolled: incydrCredential.account,
    options: { consoleUrl: 'https://console.example.com' },
  },
  'refresh-pair': {
    enrolled: { refreshToken: 'refresh-0.' },
    options: { refreshUrl: 'https://refresh.example.com/v1/refresh-token' },
  },
}

/** A server that behaves so, and a connection that knows of it what its options say. */
export function oauth2World(
  behaviour: Oauth2Behaviour = {},
  options: Record<string, unknown> = {},
) {
  const connection = {
    id: 'soc-api',
    vendor: 'oauth2',
    options: {
      grant: 'refresh_token',
      clientId: oauth2Client.clientId,
      verifyUrl: 'https://api.example.com/me',
      ...(options.issuer === undefined ? { tokenEndpoint: `${oauth2Issuer}/token` } : {}),
      ...options,
    },
  }
  const { clientSecret } = oauth2Client
  const chain = options.grant === 'client_credentials' ? {} : { refreshToken: 'refresh-0.' }
  const made = world(oauth2, connection, (now) => fakeOauth2(now, chain.refreshToken, behaviour))
  made.enroll({ clientSecret, ...chain })
  return made
}
