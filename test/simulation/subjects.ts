import type { Connection } from '../../lib/core/connection.ts'
import type { Vendor } from '../../lib/core/vendor.ts'
import { ciscoFtd } from '../../lib/vendors/cisco-ftd.ts'
import { code42Incydr } from '../../lib/vendors/code42-incydr.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { kasperskySecurityCenter } from '../../lib/vendors/kaspersky-security-center.ts'
import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'
import { oauth2 } from '../../lib/vendors/oauth2.ts'
import { selfSigned } from '../certificates.ts'
import { fakeIncydr, incydrCredential } from '../core/fake-incydr.ts'
import { fakeKics } from '../core/fake-kics.ts'
import { fakeKsc } from '../core/fake-ksc.ts'
import {
  fakeOauth2,
  type Oauth2Behaviour,
  oauth2Client,
  oauth2Issuer,
} from '../core/fake-oauth2.ts'
import { type FakeVendor, fakeFtd, fakeMdr } from '../core/fake-vendors.ts'

/** A vendor as it is simulated, in one of its variants. */
export interface Species {
  /** Begins with the vendor's id. */
  readonly name: string
  readonly vendor: Vendor
  readonly options: Connection['options']
  /** Whether another grant restarts a chain whose pair was lost. */
  readonly restarts: boolean
  readonly settle: (now: () => Date) => Settled
}

/** One such vendor at work. */
export interface Settled {
  readonly fake: FakeVendor
  /** What a person gets at the vendor's console, to be enrolled: the first time, and whenever it is needed. */
  readonly atTheConsole: () => Readonly<Record<string, unknown>>
}

// Made once, as this file is loaded: no world waits for a key.
const connector = await selfSigned('connector.example.com')
// What is enrolled is PEM text already, and turning packages into it takes real time.
const { prepare: _, ...kicsOfPem } = kicsForNetworks

export const species: readonly Species[] = [
  {
    name: 'kaspersky-mdr',
    vendor: kasperskyMdr,
    options: { clientId: 'tenant-1', url: 'https://mdr.example.com' },
    restarts: false,
    settle: (now) => chain(fakeMdr(now, ''), (fake, token) => fake.renew(token)),
  },
  {
    name: 'cisco-ftd',
    vendor: ciscoFtd,
    options: { url: 'https://192.0.2.10' },
    restarts: true,
    settle: (now) => login(fakeFtd(now), { username: 'api', password: 'made-up-1' }),
  },
  {
    name: 'cisco-ftd, custom tokens',
    vendor: ciscoFtd,
    options: { url: 'https://192.0.2.10', customToken: {} },
    restarts: true,
    settle: (now) => login(fakeFtd(now), { username: 'api', password: 'made-up-1' }),
  },
  {
    name: 'kaspersky-security-center',
    vendor: kasperskySecurityCenter,
    options: { url: 'https://ksc.example.com:13299' },
    restarts: true,
    settle: (now) => login(fakeKsc(now), { username: 'openapi', password: 'made-up-1' }),
  },
  {
    name: 'kics-for-networks',
    vendor: kicsOfPem,
    options: {
      url: 'https://kics.example.com:8080/kics/api',
      tokenUrl: 'https://kics.example.com:8080/kics/api/auth/v4/token',
    },
    restarts: true,
    settle: (now) =>
      login(fakeKics(now, { sessionSeconds: 3600 }), {
        certificate: connector.cert,
        privateKey: connector.key,
      }),
  },
  {
    name: 'code42-incydr',
    vendor: code42Incydr,
    options: { flow: 'api-client', url: 'https://api.example.com' },
    restarts: true,
    settle: (now) => login(fakeIncydr(now), incydrCredential.client),
  },
  {
    name: 'code42-incydr, user tokens',
    vendor: code42Incydr,
    options: {
      flow: 'user-token',
      url: 'https://api.example.com',
      consoleUrl: 'https://console.example.com',
    },
    restarts: true,
    settle: (now) => login(fakeIncydr(now), incydrCredential.account),
  },
  ...Object.entries<Oauth2Behaviour>({
    'single use, reuse ends the family': {},
    'single use, introspecting': { introspects: true },
    'single use, a grace for the same pair': { grace: { seconds: 60, gives: 'same' } },
    'single use, a grace for a new pair': { grace: { seconds: 60, gives: 'new' } },
  }).map(([name, behaviour]) => oauth2Species(name, behaviour)),
]

function oauth2Species(name: string, behaviour: Oauth2Behaviour): Species {
  const { clientId, clientSecret } = oauth2Client
  return {
    name: `oauth2, ${name}`,
    vendor: oauth2,
    options: {
      grant: 'refresh_token',
      clientId,
      verifyUrl: 'https://api.example.com/me',
      ...(behaviour.introspects
        ? { issuer: oauth2Issuer }
        : { tokenEndpoint: `${oauth2Issuer}/token` }),
    },
    restarts: false,
    settle(now) {
      const { fake, atTheConsole } = chain(fakeOauth2(now, undefined, behaviour), (server, token) =>
        server.authorize(token),
      )
      return { fake, atTheConsole: () => ({ clientSecret, ...atTheConsole() }) }
    },
  }
}

/** A vendor whose console gives out refresh tokens, each the beginning of a chain. */
function chain<F extends FakeVendor>(fake: F, begin: (fake: F, token: string) => void): Settled {
  let given = 0
  return {
    fake,
    atTheConsole() {
      const refreshToken = `console-token-${++given}.`
      begin(fake, refreshToken)
      return { refreshToken }
    },
  }
}

/** A vendor whose console gives out what stays as it is. */
function login(fake: FakeVendor, fields: Readonly<Record<string, unknown>>): Settled {
  return { fake, atTheConsole: () => fields }
}
