import * as v from 'valibot'
import { Redacted } from '../../lib/core/redacted.ts'
import type { Call, Grant, TokenSet, Vendor } from '../../lib/core/vendor.ts'
import type { FakeVendor } from './fake-vendors.ts'
import { world } from './world.ts'

type World = ReturnType<typeof world<FakeVendor>>

/** A vendor whose 15-minute tokens can be minted at will and are held nowhere. */
export function mint(announces?: Grant['announces']) {
  const calls: Call[] = []
  const faults: Error[] = []
  const living = new Map<string, Date>()
  const request = async (_held: unknown, call: Call): Promise<TokenSet> => {
    calls.push(call)
    const fault = faults.shift()
    if (fault !== undefined) throw fault
    const token = `token-${calls.length}`
    living.set(token, new Date(call.now.getTime() + 900_000))
    return {
      accessToken: new Redacted(token),
      tokenType: 'Bearer',
      issuedAt: call.now,
      expiresAt: new Date(call.now.getTime() + 900_000),
      grant: 'mint',
    }
  }
  const vendor: Vendor = {
    id: 'example',
    title: 'Example',
    options: v.strictObject({}),
    credentialFields: ['key'],
    enrollmentSteps: ['open the console'],
    url: () => 'https://api.example.com',
    accessLifetimeSeconds: () => 900,
    spends: () => 'nothing',
    connect: () => ({
      grants: [
        {
          name: 'mint',
          spends: 'nothing',
          keeps: 'nothing',
          usable: () => true,
          request,
          ...(announces === undefined ? {} : { announces }),
        },
      ],
      headers: () => ({}),
      close: async () => {},
    }),
  }
  const fake: FakeVendor = {
    http: () => ({ request: async () => Promise.reject(new Error('none')), close: async () => {} }),
    presented: new Map(),
    tip: () => undefined,
    isAlive: (token) => (living.get(token) ?? made.clock.now()) > made.clock.now(),
    logins: () => 0,
    faults: [],
  }
  const connection = { id: 'example-1', vendor: 'example', options: {} }
  const made: World = world(vendor, connection, () => fake)
  made.enroll({ key: 'made-up' })
  return { ...made, calls, faults }
}
