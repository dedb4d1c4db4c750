import { expect, test } from 'vitest'
import { enroll } from '../../lib/core/enroll.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import type { Vendor } from '../../lib/core/vendor.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { fakeMdr } from './fake-vendors.ts'
import { world } from './world.ts'

const versionId = '00000000-0000-4000-8000-000000000002'

function packaged(prepare: Vendor['prepare']) {
  const vendor: Vendor = {
    ...kasperskyMdr,
    credentialFields: ['package', 'refreshToken'],
    ...(prepare === undefined ? {} : { prepare }),
  }
  const connection = {
    id: 'mdr-prod',
    vendor: 'kaspersky-mdr',
    options: { clientId: 'tenant-1', url: 'https://mdr.example.com' },
  }
  const { ports, secrets, enrollment } = world(vendor, connection, (now) => fakeMdr(now, 't-1'))
  const run = { connection, vendor, runId: 'enroll-1', remainingSeconds: () => 60 }
  return {
    enroll: (fields: Record<string, unknown>) => enroll(run, fields, versionId, ports),
    stored: () => secrets.current(enrollment),
  }
}

test('what a vendor prepares is what is stored, and what it came from is not', async () => {
  const made = packaged(async (fields) => ({ refreshToken: `${fields.package}-opened` }))
  expect(await made.enroll({ package: 'sealed' })).toBe('enrolled')
  expect(made.stored()).toEqual({ refreshToken: 'sealed-opened' })
})

test('what cannot be prepared is not stored', async () => {
  const made = packaged(() => Promise.reject(new ConfigError('package', 'is torn')))
  await expect(made.enroll({ package: 'sealed' })).rejects.toThrow('package: is torn')
  expect(made.stored()).toBeUndefined()
})

test('a field that the vendor does not take is refused before anything is prepared', async () => {
  const made = packaged(() => expect.fail('it was prepared'))
  await expect(made.enroll({ parcel: 'sealed' })).rejects.toThrow(
    'parcel: is not a credential of kaspersky-mdr; allowed are package, refreshToken',
  )
})

test('a vendor that prepares nothing has its fields stored as they are', async () => {
  const made = packaged(undefined)
  await made.enroll({ refreshToken: 't-1' })
  expect(made.stored()).toEqual({ refreshToken: 't-1' })
})
