import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsError } from './aws-error.ts'
import { control } from './control.ts'
import { memory, openDataFolder } from './data-folder.ts'
import { createDynamo } from './dynamodb.ts'
import { type ArmedFault, createFaults, errorOf, type Fault } from './faults.ts'
import type { Replication } from './replication.ts'
import type { RotationFunction } from './rotation-runner.ts'
import type { Lag } from './secret-store.ts'
import type { VersionLimits } from './secret-versions.ts'
import { createServices, type Service } from './services.ts'
import type { StoredEvent } from './state.ts'
import { codeOf } from './state-file.ts'
import { drawUuid, realSurroundings, type Surroundings } from './surroundings.ts'
import { type Answer, errorAnswer, jsonAnswer, readBody, readJsonBody, send } from './wire.ts'

export type { Fault } from './faults.ts'
export type { RotationEvent, RotationFunction } from './rotation-runner.ts'
export type { StoredEvent } from './state.ts'

/** The port that other local AWS endpoints use, so that what is set up for them finds this one. */
export const defaultPort = 4566

export interface AwsEndpointOptions extends Partial<Surroundings> {
  /** If it is taken, a free one is used instead; 0 takes a free one at once. @default 4566 */
  readonly port?: number
  /** Folder that state is kept in; it then survives even a kill -9. @default memory only */
  readonly dataDir?: string
  /** Which reading of the quota of 100 versions is played. @default 'enforced' */
  readonly versionQuota?: VersionLimits['quota']
  /** How long a version is safe from being purged. @default 86400 */
  readonly versionWindowSeconds?: number
  /** How far GetSecretValue lags behind writes, as it may at AWS. @default 0 */
  readonly consistencyLagMs?: number
  /** Shared with the endpoints of other regions, each of which has another `region`. @default none */
  readonly replication?: Replication
  /** Pause before a rotation that has failed is tried again. @default 1000 */
  readonly rotationRetryMs?: number
}

export interface AwsEndpoint {
  readonly url: string
  readonly port: number
  events(): readonly StoredEvent[]
  /** Arms a fault for coming calls. */
  inject(fault: Fault): void
  clearFaults(): void
  /** How often each operation was called, struck calls included. */
  calls(): Readonly<Record<string, number>>
  /** Makes a function known under an ARN, so that RotateSecret may name it and invoke it. */
  provideFunction(lambdaArn: string, invoke: RotationFunction): void
  /** Resolves when no rotation is under way. */
  rotationsSettled(): Promise<void>
  close(): Promise<void>
}

const dynamoTarget = /^DynamoDB_\d+\.(\w+)$/

/**
 * Secrets Manager, Parameter Store, EventBridge PutEvents and DynamoDB on one port of 127.0.0.1, in
 * AWS's own wire protocols: SDKs, the command line and boto3 work with only their endpoint URL set.
 * Signatures are neither needed nor checked.
 *
 * @throws {DataFolderError} the folder cannot be used
 */
export async function startAwsEndpoint(options: AwsEndpointOptions = {}): Promise<AwsEndpoint> {
  const surroundings = { ...realSurroundings, ...options }
  const folder = options.dataDir === undefined ? memory : await openDataFolder(options.dataDir)
  const limits = {
    quota: options.versionQuota ?? 'enforced',
    windowSeconds: options.versionWindowSeconds ?? 86_400,
  }
  const lagMs = options.consistencyLagMs ?? 0
  const durable = folder.durable(() => services.state())
  const services = createServices(
    folder.stored,
    limits,
    options.rotationRetryMs ?? 1000,
    surroundings,
    durable.changed,
    options.replication,
  )
  const dynamo = createDynamo(folder.tables)
  const faults = createFaults()
  const calls: Record<string, number> = {}
  const closing = new AbortController()
  const instance = drawUuid(surroundings.random)

  /** Answers, or gives undefined for a connection that is to be dropped. */
  async function answer(request: IncomingMessage): Promise<Answer | undefined> {
    const body = await readBody(request)
    const path = request.url ?? '/'
    if (path.startsWith('/_local/')) {
      const controlled = { instance, faults, events: services.events.all, calls: () => calls }
      return control(`${request.method} ${path}`, body, controlled)
    }
    const target = String(request.headers['x-amz-target'] ?? '')
    const contentType = String(request.headers['content-type'] ?? 'application/x-amz-json-1.1')
    const dynamoOperation = dynamoTarget.exec(target)?.[1]
    if (dynamoOperation !== undefined) {
      return struck(dynamoOperation, dynamoService, contentType, () =>
        dynamo.answer(target, contentType, body),
      )
    }
    const [service, name, operation] = lookUp(target)
    return struck(name, service, contentType, async (lag) => {
      const output = operation(readJsonBody(body), lag)
      // Reads wait as well: nobody is told of a change that a crash could still undo.
      await durable.saved()
      return jsonAnswer(output, contentType)
    })
  }

  /** Runs a call under the fault that strikes it, if one does. */
  async function struck(
    name: string,
    service: Pick<Service, 'internalError' | 'messageMember'>,
    contentType: string,
    run: (lag: Lag | undefined) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    calls[name] = (calls[name] ?? 0) + 1
    const fault = faults.strike(name)
    try {
      const error = fault && errorOf(fault, service.internalError)
      if (error !== undefined) throw error
      if (fault?.kind === 'drop-before') return undefined
      if (fault?.kind === 'delay') await sleep(fault.milliseconds, null, closing)
      const answered = await run(lagOf(fault))
      return fault?.kind === 'lost-ack' ? undefined : answered
    } catch (error) {
      if (closing.signal.aborted) return undefined
      return errorAnswer(
        asAwsError(error, service.internalError),
        contentType,
        service.messageMember,
      )
    }
  }

  function lagOf(fault: ArmedFault | undefined): Lag | undefined {
    if (fault?.kind === 'stale-read') return { writes: fault.writes }
    return lagMs > 0 ? { milliseconds: lagMs } : undefined
  }

  function lookUp(target: string): [Service, string, Service['operations'][string]] {
    const [prefix = '', name = ''] = target.split('.')
    const service = Object.entries(services.byTarget).find(([key]) => key === prefix)?.[1]
    if (service === undefined) {
      throw new AwsError(
        'UnknownOperationException',
        `X-Amz-Target '${target}' is of no service that is supported here: secretsmanager, AmazonSSM, AWSEvents, DynamoDB_20120810 (JSON protocols only)`,
      )
    }
    const operation = Object.entries(service.operations).find(([key]) => key === name)?.[1]
    if (operation === undefined) {
      throw new AwsError(
        'UnknownOperationException',
        `${name} is not supported here; ${prefix} supports ${Object.keys(service.operations).join(', ')}`,
      )
    }
    return [service, name, operation]
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-amzn-RequestId', drawUuid(surroundings.random))
    try {
      // Only browsers send this: a web page has no business with the secrets on this machine.
      if (request.headers.origin !== undefined) {
        throw new AwsError('AccessDeniedException', 'requests from web pages are refused', 403)
      }
      const answered = await answer(request)
      if (answered === undefined) response.destroy()
      else send(response, answered)
    } catch (error) {
      // The client has gone in the middle of its request.
      if (response.destroyed) return
      const type = 'application/x-amz-json-1.1'
      send(response, errorAnswer(asAwsError(error, 'InternalServerError'), type, 'message'))
    }
  }

  let closed: Promise<void> | undefined
  async function close(): Promise<void> {
    closing.abort()
    services.leave()
    services.rotations.stop()
    // Its callback comes after DynamoDB's files are closed, too.
    const stopped = new Promise<void>((resolve, reject) => {
      server.close((error) => (error === undefined || error === null ? resolve() : reject(error)))
    })
    server.closeAllConnections()
    await stopped
    await durable.saved()
    await folder.leave()
  }

  const { server } = dynamo
  server.on('request', (request, response) => void serve(request, response))
  const port = await listen(server, options.port ?? defaultPort)
  const url = `http://127.0.0.1:${port}`
  await folder.occupy(url, instance)

  return {
    url,
    port,
    events: services.events.all,
    inject: faults.inject,
    clearFaults: faults.clear,
    calls: () => ({ ...calls }),
    provideFunction: services.rotations.provide,
    rotationsSettled: services.rotations.settled,
    close() {
      closed ??= close()
      return closed
    },
  }
}

const dynamoService = { internalError: 'InternalServerError', messageMember: 'message' } as const

/** What went wrong inside goes to stderr without its message, which could quote a secret. */
function asAwsError(error: unknown, internalError: Service['internalError']): AwsError {
  if (error instanceof AwsError) return error
  const frames = error instanceof Error ? (error.stack ?? '').match(/^ {4}at .*$/gm) : undefined
  process.stderr.write(
    `local AWS endpoint: ${codeOf(error) ?? 'unexpected failure'}\n${frames?.join('\n') ?? ''}\n`,
  )
  return new AwsError(internalError, 'The endpoint failed; its standard error says where.', 500)
}

/** @returns the port that is listened on: the one asked for, or a free one if it is taken */
async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE' || port === 0) throw error
    return listen(server, 0)
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}
