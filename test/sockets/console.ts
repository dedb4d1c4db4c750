import * as v from 'valibot'
import { createHttp } from '../../lib/http.ts'
import type { Credential } from '../../lib/local/simulators/simulator.ts'
import type { Member } from './scene.ts'

/** The console's button for a new credential, by vendor; the others' credentials stay good. */
const buttons: Readonly<Record<string, string>> = {
  'kaspersky-mdr': 'console-token',
  'code42-incydr': 'refresh-token',
  oauth2: 'refresh-token',
}

const Shown = v.object({ refreshToken: v.string() })

/** What the vendor's console shows a person who asks for a credential: a token of a new chain. */
export async function newCredential({
  demo,
  simulator,
}: Pick<Member, 'demo' | 'simulator'>): Promise<Credential> {
  const button = demo.enroll.includes('refreshToken') ? buttons[demo.vendor] : undefined
  if (button === undefined) return simulator.credential
  const http = createHttp(simulator.ca === undefined ? {} : { ca: simulator.ca })
  const call = { name: 'console', method: 'POST', url: `${simulator.url}/_sim/${button}` } as const
  const { json } = await http.request({ ...call, timeoutSeconds: 10 })
  await http.close()
  return { ...simulator.credential, ...v.parse(Shown, json) }
}
