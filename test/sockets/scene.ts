import { randomUUID } from 'node:crypto'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { readSettings } from '../../lib/aws/environment.ts'
import { awsPorts } from '../../lib/aws/ports.ts'
import { createTokenSource } from '../../lib/consumer/index.ts'
import { enrollmentSecretId } from '../../lib/core/documents.ts'
import { enroll, requestRotation } from '../../lib/core/enroll.ts'
import { escrowName } from '../../lib/core/read-held.ts'
import type { Timings } from '../../lib/core/renewal.ts'
import type { Run } from '../../lib/core/run.ts'
import { createHttp } from '../../lib/http.ts'
import { deployLocally, enterLocalAccount, provideConnections } from '../../lib/local/account.ts'
import { startAwsEndpoint } from '../../lib/local/aws/endpoint.ts'
import { createAuthority } from '../../lib/local/certificate.ts'
import type { DemoConnection } from '../../lib/local/demo-connections.ts'
import { simulators } from '../../lib/local/simulators/index.ts'
import type { Credential, Simulator } from '../../lib/local/simulators/simulator.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { newCredential } from './console.ts'
import { type Exchange, startFaultProxy } from './fault-proxy.ts'
import type { Answered, Fault } from './faults.ts'
import { createWitness, type Witness } from './witness.ts'

/** A connection in the scene: a demo connection under an id of its own. */
export interface Part {
  readonly id: string
  readonly demo: DemoConnection
  /** Its vendor, if that has been started already. It may serve several connections. */
  readonly simulator?: Simulator
}

/** One connection with its simulated vendor, the proxy in front of it, and what is true of it. */
export interface Member extends Part {
  readonly simulator: Simulator
  readonly witness: Witness
}

export interface SceneOptions {
  readonly parts: readonly Part[]
  readonly speed: number
  readonly timings: Timings
  /** Which fault strikes a call to a vendor, and one to AWS; none before everything is enrolled. */
  readonly vendorFault?: (id: string, exchange: Exchange) => Fault | undefined
  readonly awsFault?: (exchange: Exchange) => Fault | undefined
  /** Told of every exchange, of either leg, as it begins. */
  readonly onExchange?: (exchange: Exchange) => void
  /** What is answered instead of what a vendor or AWS answers; told of every answer. */
  readonly vendorAnswer?: (id: string, exchange: Exchange, answered: Answered) => Answered
  readonly awsAnswer?: (exchange: Exchange, answered: Answered) => Answered
}

export type Scene = Awaited<ReturnType<typeof startScene>>

/**
 * The embedded AWS endpoint and a simulator per connection, a fault proxy in front of each, and
 * everything enrolled. This process's environment becomes that of a function behind the proxies; what
 * the scene itself does goes past them.
 */
export async function startScene(options: SceneOptions) {
  const { parts, speed, timings, vendorFault, awsFault, onExchange } = options
  const { vendorAnswer, awsAnswer } = options
  const authority = await createAuthority('fault proxy', new Date())
  const certificate = await authority.issue({ usage: 'server', commonName: 'fault proxy' })
  const endpoint = await startAwsEndpoint({
    port: 0,
    versionWindowSeconds: timings.versionWindowSeconds,
    versionQuota: 'purging',
  })
  let isArmed = false
  const members = new Map<string, Member>()
  const aws = await startFaultProxy({
    upstream: endpoint.url,
    fault(exchange) {
      onExchange?.(exchange)
      return isArmed ? awsFault?.(exchange) : undefined
    },
    onAnswer(exchange, { status }) {
      if (status !== 200 || !/Put(SecretValue|Parameter)$/.test(targetOf(exchange))) return
      const owner = [...members.values()].find(({ id }) => isOf(id, exchange))
      owner?.witness.stored(exchange.body)
    },
    ...(awsAnswer === undefined ? {} : { rewrite: awsAnswer }),
  })
  enterLocalAccount(endpoint.url)

  const started = await Promise.all(
    parts.map(async ({ id, demo, simulator: running }) => {
      const simulator = running ?? (await startSimulator(demo, speed))
      const witness = createWitness(simulator.holds)
      const proxy = await startFaultProxy({
        upstream: simulator.url,
        certificate,
        ...(simulator.ca === undefined ? {} : { upstreamCa: simulator.ca }),
        clients: await clientCertificates(demo, simulator.credential),
        fault(exchange) {
          onExchange?.(exchange)
          return isArmed ? vendorFault?.(id, exchange) : undefined
        },
        onForward: witness.forwarded,
        onAnswer: witness.answered,
        ...(vendorAnswer && {
          rewrite: (exchange, answered) => vendorAnswer(id, exchange, answered),
        }),
      })
      const configuration = configure({ id, demo }, simulator, {
        url: proxy.url,
        ca: authority.ca,
        pin: `sha256/${certificate.fingerprint}`,
      })
      members.set(id, { id, demo, simulator, witness })
      return { simulator, proxy, configuration }
    }),
  )
  const forget = await provideConnections(started.map(({ configuration }) => configuration))
  await deployLocally(parts)
  const { connections, ...settings } = readSettings(process.env, vendors)
  const ports = awsPorts({ ...settings }, timings)
  const secrets = new SecretsManagerClient({})

  const runOf = (id: string): Run => {
    const connection = connections.find((one) => one.id === id)
    const vendor = connection && vendors[connection.vendor]
    if (connection === undefined || vendor === undefined) throw new Error(`no connection ${id}`)
    return { connection, vendor, runId: randomUUID(), remainingSeconds: () => 30 }
  }
  const scene = {
    members: parts.flatMap(({ id }) => members.get(id) ?? []),
    awsUrl: aws.url,
    endpoint,
    ports,
    /** What a person does with what the vendor's console shows. @returns whether no run was in the way */
    async enroll({ id, demo, witness }: Member, credential: Credential): Promise<boolean> {
      const fields = Object.fromEntries(demo.enroll.map((name) => [name, credential[name]]))
      const done = await enroll(runOf(id), fields, randomUUID(), ports)
      if (done === 'lease-held') return false
      if (demo.enroll.includes('refreshToken')) witness.enrolled(String(fields.refreshToken))
      return true
    },
    rotateNow: ({ id }: Member) => requestRotation(runOf(id), ports),
    item: ({ id, demo }: Member) => ports.ledger.read(demo.vendor, id),
    /** Everything in which the rotator may have put a pair, as it stands. */
    async held({ id }: Member): Promise<string> {
      const read = (VersionStage: string) =>
        secrets
          .send(new GetSecretValueCommand({ SecretId: enrollmentSecretId(id), VersionStage }))
          .then(
            ({ SecretString }) => SecretString,
            () => undefined,
          )
      const texts = [await read('AWSCURRENT'), await read('AWSPENDING')]
      return [...texts, await ports.parameters.read(escrowName(id))].join('\n')
    },
    /** Whether a workload that reads the consumer secret now is let in by the vendor. */
    async isFresh({ id, demo, simulator }: Member): Promise<boolean> {
      const http = createHttp(simulator.ca === undefined ? {} : { ca: simulator.ca })
      try {
        const { headers } = await createTokenSource(id, {
          cacheSeconds: 0,
          client: secrets,
        }).getToken()
        const call = { name: 'consumer', ...demo.call(simulator), headers, timeoutSeconds: 10 }
        return (await http.request(call)).status === 200
      } catch {
        return false
      } finally {
        await http.close()
      }
    },
    /** Faults strike from now on. */
    arm() {
      isArmed = true
    },
    disarm() {
      isArmed = false
    },
    async close() {
      await Promise.all(started.map(({ proxy }) => proxy.close()))
      await Promise.all(started.map(({ simulator }) => simulator.close()))
      secrets.destroy()
      await aws.close()
      await endpoint.close()
      await forget()
    },
  }
  // From the console at once: a simulator that serves several has but one first token.
  await Promise.all(
    scene.members.map(async (member) => scene.enroll(member, await newCredential(member))),
  )
  // The scene's own clients know their way by now; whoever comes later goes through the proxy.
  await Promise.all(scene.members.map(scene.held))
  process.env.AWS_ENDPOINT_URL = aws.url
  return scene
}

/** The simulated vendor of a demo connection. */
export function startSimulator(
  { vendor, simulator }: DemoConnection,
  speed: number,
): Promise<Simulator> {
  return simulators[vendor as keyof typeof simulators].start({ speed, ...simulator })
}

/** The operation that a call to AWS names, e.g. `secretsmanager.PutSecretValue`. */
export function targetOf({ headers }: Exchange): string {
  return String(headers['x-amz-target'] ?? '')
}

/** Whether a call to AWS is about this connection. */
export function isOf(id: string, { body }: Exchange): boolean {
  return (
    body.includes(`token-rotator/${id}/`) || body.includes(`"${id}"`) || body.includes(`"${id}\\"`)
  )
}

/** The entry for `connections.json`, with the proxy in the vendor's place. */
function configure(
  { id, demo }: Part,
  simulator: Simulator,
  proxy: Pick<Simulator, 'url' | 'ca' | 'pin'>,
) {
  const { credential } = simulator
  const seen = { ...simulator, ...proxy, credential: { ...credential, issuer: proxy.url } }
  const options = demo.configure(seen)
  // The server would not know itself by this audience; by its token endpoint it does.
  const isSigned = options.clientAuthentication === 'private_key_jwt'
  const { issuer: _, ...rest } = options
  const chosen = isSigned ? { ...rest, tokenEndpoint: `${proxy.url}/token` } : options
  return { id, vendor: demo.vendor, tls: { ca: proxy.ca }, ...chosen }
}

/** The certificate that the rotator will show, so that the proxy can show it on. */
async function clientCertificates(
  { vendor, enroll: names }: DemoConnection,
  credential: Credential,
) {
  const fields = Object.fromEntries(names.map((name) => [name, credential[name]]))
  const { certificate, privateKey } = (await vendors[vendor]?.prepare?.(fields)) ?? fields
  if (typeof certificate !== 'string' || typeof privateKey !== 'string') return []
  return [{ certificate, privateKey }]
}
