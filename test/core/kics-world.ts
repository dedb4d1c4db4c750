import { kicsForNetworks } from '../../lib/vendors/kics-for-networks.ts'
import { selfSigned } from '../certificates.ts'
import { fakeKics, type KicsBehaviour } from './fake-kics.ts'
import { world } from './world.ts'

// Made once, as this file is loaded: no world waits for a key.
const connector = await selfSigned('connector.example.com')

export function kicsWorld(behaviour: KicsBehaviour = {}) {
  const base = 'https://kics.example.com:8080/kics/api'
  const connection = {
    id: 'ot-plant',
    vendor: 'kics-for-networks',
    options: { url: base, tokenUrl: `${base}/auth/v4/token` },
  }
  const made = world(kicsForNetworks, connection, (now) => fakeKics(now, behaviour))
  made.enroll({ certificate: connector.cert, privateKey: connector.key })
  return made
}
