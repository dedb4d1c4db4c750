import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readSettings } from '../lib/aws/environment.ts'
import { createHandler } from '../lib/aws/handler.ts'
import { awsPorts } from '../lib/aws/ports.ts'
import { main } from '../lib/cli/main.ts'
import { enroll } from '../lib/core/enroll.ts'
import type { Fault } from '../lib/local/aws/endpoint.ts'
import { ciscoFtd as simulatedFtd } from '../lib/local/simulators/cisco-ftd.ts'
import { kasperskyMdr as simulatedMdr } from '../lib/local/simulators/kaspersky-mdr.ts'
import type { Simulator } from '../lib/local/simulators/simulator.ts'
import { vendors } from '../lib/vendors/index.ts'
import { account, captured, context } from './aws/account.ts'
import { prints, tracesOf } from './canaries.ts'

/** Every token that any simulator makes, each unlike any other. */
const issued = vi.hoisted(() => [] as string[])
vi.mock('../lib/local/simulators/token.ts', async (original) => {
  const actual = await original<typeof import('../lib/local/simulators/token.ts')>()
  const signToken: typeof actual.signToken = async (...args) => {
    const token = await actual.signToken(...args)
    issued.push(token)
    return token
  }
  return { ...actual, signToken }
})

/** Faults that both vendors show, by the operation they strike. */
const network = ['drop-before', 'consume-then-drop', 'consume-then-500', 'truncated-body', 'empty']
const strange = ['html', 'error-500', 'error-503', 'error-429', 'refuse', 'extra-fields']
const everything = [...network, ...strange]

/** What the stores do to a run; each meets a run that rotates. */
const storeFaults: readonly (readonly Fault[])[] = [
  [{ operation: 'Query', kind: 'access-denied' }],
  [{ operation: 'GetItem', kind: 'internal-error' }],
  [{ operation: 'PutItem', kind: 'lost-ack' }],
  [{ operation: 'GetSecretValue', kind: 'access-denied' }],
  [{ operation: 'PutSecretValue', kind: 'throttle', times: 3 }],
  [{ operation: 'PutSecretValue', kind: 'lost-ack' }],
  [{ operation: 'PutSecretValue', kind: 'access-denied' }],
  [{ operation: 'PutSecretValue', kind: 'limit-exceeded' }],
  [{ operation: 'PutSecretValue', kind: 'limit-exceeded', skip: 1 }],
  [
    { operation: 'PutSecretValue', kind: 'access-denied' },
    { operation: 'PutParameter', kind: 'access-denied' },
  ],
  [{ operation: 'UpdateSecretVersionStage', kind: 'lost-ack' }],
  [{ operation: 'UpdateSecretVersionStage', kind: 'access-denied' }],
  [{ operation: 'DeleteParameter', kind: 'access-denied' }],
  [{ operation: 'PutEvents', kind: 'access-denied' }],
]

// More versions are written below than Secrets Manager takes in a day: its window is closed at once.
/** Both vendors, deployed; everything that comes out of the process is kept. */
async function everythingAtWork() {
  const [mdr, ftd] = await Promise.all([simulatedMdr.start(), simulatedFtd.start()])
  onTestFinished(() => Promise.all([mdr.close(), ftd.close()]).then(() => undefined))
  const password = String(ftd.credential.password)
  const common = ({ url, ca }: Simulator) => ({ url, tls: { ca } })
  const { clientId } = mdr.credential
  const at = await account(
    [
      { configuration: { id: 'mdr', vendor: 'kaspersky-mdr', ...common(mdr), ...{ clientId } } },
      { configuration: { id: 'ftd', vendor: 'cisco-ftd', ...common(ftd), ...{ customToken: {} } } },
    ],
    { versionWindowSeconds: 0 },
  )
  const printed = captured()
  const settings = readSettings(process.env, vendors)
  const ports = awsPorts(settings)
  const shown: string[] = []
  const keep = async (work: () => Promise<unknown>) => {
    try {
      const value = await work()
      shown.push(JSON.stringify(value) ?? '', inspect(value, { depth: 10, showHidden: true }))
    } catch (error) {
      shown.push(prints(error))
    }
  }
  const handlers = Object.values(vendors).map((vendor) => createHandler(vendor))

  return {
    ...at,
    mdr,
    ftd,
    password,
    printed,
    shown,
    tick: async () => {
      for (const handler of handlers) await keep(() => handler({}, context))
    },
    enroll: (id: string, fields: Record<string, unknown>) =>
      keep(() => {
        const connection = settings.connections.find((one) => one.id === id)
        const vendor = vendors[connection?.vendor ?? '']
        if (connection === undefined || vendor === undefined) return expect.unreachable(id)
        const run = { connection, vendor, runId: randomUUID(), remainingSeconds: () => 60 }
        return enroll(run, fields, randomUUID(), ports)
      }),
    /** What an operator types. */
    command: (...argv: string[]) => keep(() => main([...argv, '--connections', at.connections])),
  }
}

test('no secret leaves its secrets and the escrow, whatever goes wrong', async () => {
  const at = await everythingAtWork()
  const { mdr, ftd, endpoint, password } = at
  const byHand = ['canary-typed-at-the-console-1', 'canary-typed-at-the-console-2']
  const newChain = async () => at.enroll('mdr', { refreshToken: await mdr.newConsoleToken() })
  const logIn = () => at.enroll('ftd', { username: ftd.credential.username, password })

  await newChain()
  await logIn()
  await at.tick()
  await at.tick()
  for (const kind of everything) {
    for (const on of ['grant', 'verify']) {
      await newChain()
      await logIn()
      for (const simulator of [mdr, ftd]) simulator.inject({ kind, on })
      await at.tick()
      await at.command('rotate', 'mdr')
      await at.command('rotate', 'ftd')
      await at.tick()
      for (const simulator of [mdr, ftd]) simulator.clearFaults()
    }
  }
  for (const kind of ['refuse-200-error', 'refuse-403-json', 'refuse-400-text', 'error-object']) {
    await newChain()
    mdr.inject({ kind: 'refuse' })
    mdr.inject({ kind })
    await at.tick()
  }
  for (const kind of ['version-401', 'no-refresh-token', 'external-user', 'rebooted', 'failover']) {
    await logIn()
    ftd.inject({ kind })
    await at.tick()
    await at.command('rotate', 'ftd')
    await at.tick()
    ftd.clearFaults()
  }
  for (const faults of storeFaults) {
    await newChain()
    for (const fault of faults) endpoint.inject(fault)
    await at.tick()
    await at.command('rotate', 'mdr')
    await at.tick()
    endpoint.clearFaults()
  }
  await at.enroll('mdr', { refreshToken: byHand[0], password: byHand[1] })
  await at.enroll('ftd', { username: 'api', password: { value: byHand[0] } })
  for (const SecretString of [
    `{"refreshToken":"${byHand[0]}`,
    `{"refreshToken":["${byHand[1]}"]}`,
  ]) {
    await newChain()
    await at.secrets.putSecretValue({ SecretId: 'token-rotator/mdr/enrollment', SecretString })
    await at.tick()
  }
  await at.command('status')
  await at.command('status', '--json')

  const secrets = [...new Set([...issued, password, ...byHand])]
  expect(secrets.length).toBeGreaterThan(150)
  // The search itself is at work, and the run has met what it was meant to meet.
  const held = await at.versions('token-rotator/ftd/enrollment')
  expect(tracesOf(secrets, held.join())).not.toEqual([])
  const outcomes = at.shown.join('\n')
  for (const met of [
    '"outcome":"rotated"',
    'token-at-risk',
    'enrollment-required',
    'ERR_CONFIG',
    'ERR_TRANSPORT',
    'ERR_RESPONSE',
    'ERR_GRANT_REFUSED',
    'ERR_VERIFY_FAILED',
    'ERR_STORE',
    'ERR_TOKEN_AT_RISK',
  ]) {
    expect(outcomes.includes(met), met).toBe(true)
  }

  const sinks = {
    'standard output and error': at.printed.text,
    'what is returned or thrown': outcomes,
    events: JSON.stringify(endpoint.events()),
    ledger: JSON.stringify(await at.ledger()),
  }
  for (const [sink, text] of Object.entries(sinks)) {
    expect(text.length, sink).toBeGreaterThan(1000)
    expect(tracesOf(secrets, text), sink).toEqual([])
  }
}, 120_000)

test('a consumer secret never holds what renews its token', async () => {
  const at = await everythingAtWork()
  const { mdr, ftd, password } = at
  await at.enroll('mdr', { refreshToken: await mdr.newConsoleToken() })
  await at.enroll('ftd', { username: ftd.credential.username, password })
  for (let n = 0; n < 4; n++) {
    await at.tick()
    await at.command('rotate', 'mdr')
    await at.command('rotate', 'ftd')
  }
  for (const id of ['mdr', 'ftd']) {
    const held = await at.versions(`token-rotator/${id}/enrollment`)
    const renewing = held.flatMap((text) => {
      const { refreshToken } = JSON.parse(text) as { refreshToken?: string }
      return refreshToken ?? []
    })
    const consumed = (await at.versions(`token-rotator/${id}/access-token`)).join()
    expect(renewing.length).toBeGreaterThan(3)
    expect(consumed).toContain('"access_token"')
    for (const secret of [...renewing, password]) expect(consumed).not.toContain(secret)
  }
})
