import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from 'aws-cdk-lib'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ConnectionProps } from '../../lib/core/connection.ts'
import { demoConnections } from '../../lib/local/demo-connections.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { canaries, prints } from '../canaries.ts'
import { rotatorStack } from '../cdk/synthesis.ts'
import { startSimulator } from '../sockets/scene.ts'
import { capture } from './capture.ts'
import { secretsOf } from './wire.ts'

/** Everything that synthesis writes: templates, manifests, and the assets with their connections. */
function written(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n')
}

test('synthesis writes no credential, neither of a vendor nor of who synthesizes', async () => {
  const simulators = await Promise.all(demoConnections.map((demo) => startSimulator(demo, 1)))
  onTestFinished(async () => {
    await Promise.all(simulators.map((one) => one.close()))
  })
  const enrolled = demoConnections.map(({ enroll }, n) =>
    secretsOf(Object.fromEntries(enroll.map((name) => [name, simulators[n]?.credential[name]]))),
  )
  const search = canaries(enrolled.flat())
  expect(search.size).toBeGreaterThan(demoConnections.length)
  const own = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'MDR_REFRESH_TOKEN', 'NPM_TOKEN']
  for (const name of own) {
    const canary = `canary-in-${name}-of-the-shell`
    vi.stubEnv(name, canary)
    search.add(canary)
  }
  onTestFinished(() => void vi.unstubAllEnvs())
  const connections = demoConnections.map((demo, n) => {
    const simulator = simulators[n]
    return simulator === undefined
      ? expect.unreachable(demo.id)
      : { id: demo.id, vendor: demo.vendor, ...demo.configure(simulator) }
  })
  const printed = capture()
  const { directory } = (rotatorStack({ connections }).node.root as App).synth()
  printed.stop()
  const text = written(directory)
  for (const { id } of connections) expect(text).toContain(id)
  expect(search.find(text, 'what is synthesized')).toEqual([])
  expect(search.find(printed.text, 'standard output and error')).toEqual([])
})

const canary = 'canary-typed-into-the-list-of-connections'
const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(canary).toString('base64')}\n-----END PRIVATE KEY-----\n`
const misplaced = Object.values(vendors).flatMap(({ id, credentialFields }) =>
  credentialFields
    .filter((field) => !['clientId'].includes(field))
    .flatMap((field) =>
      [canary, pem, { value: canary }, [canary]].map((value) => ({ vendor: id, field, value })),
    ),
)

test.each(misplaced)(
  '$field of $vendor, typed into the configuration, is refused unread',
  (one) => {
    const entry: Record<string, unknown> = { id: 'a', vendor: one.vendor, [one.field]: one.value }
    const search = canaries([canary, pem])
    for (const list of [[entry], [{ ...entry, tls: entry }]]) {
      let told: unknown
      try {
        rotatorStack({ connections: list as unknown as ConnectionProps[] })
      } catch (error) {
        told = error
      }
      expect(told).toMatchObject({ code: 'ERR_CONFIG' })
      expect(search.find(prints(told))).toEqual([])
    }
  },
)
