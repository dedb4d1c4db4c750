import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Connection } from '../core/connection.ts'
import {
  consumerSecretId,
  decodeConsumer,
  decodeEnrollment,
  enrollmentSecretId,
} from '../core/documents.ts'
import { ConfigError, describeError } from '../core/errors.ts'
import type { Outcome } from '../core/release.ts'
import { leastSeconds } from '../core/renewal.ts'
import { rotate } from '../core/rotate.ts'
import type { Ports, Run } from '../core/run.ts'
import { verify } from '../core/verify.ts'
import type { RotationEvent } from './invocation.ts'
import { describeRotated, type RotatedSecret, versionWith } from './rotated-secret.ts'
import { secretsManagerStore } from './secrets-manager.ts'

/** A step that has not succeeded: Secrets Manager tries the rotation again, from its first step. */
export class RotationStepError extends Error {
  override readonly name = 'RotationStepError'
}

/** What a function has, to take a step with. */
export interface StepFrame extends Pick<Run, 'vendor' | 'remainingSeconds'> {
  readonly connections: readonly Connection[]
  readonly newRunId: () => string
  readonly secretsManager: SecretsManagerClient
  /** Told of each run that the step took, before it succeeds or fails. */
  readonly report: (outcome: Outcome) => void
}

// A run takes a second or two, unless its vendor is slow.
const leaseWaitSeconds = 1

// Everything is eventually consistent here: a version just written may not be there yet.
const readTries = 20

/**
 * One step of Secrets Manager's own rotation of a consumer secret. All of the work is one run like any
 * other, in the first step: an order in the ledger to renew, and to publish as the version that Secrets
 * Manager has registered. Whoever holds the lease next carries it out; the other steps look at what
 * came of it, and can be repeated at any time.
 *
 * | step | does |
 * | --- | --- |
 * | createSecret | lease, order, renew, verify, publish: the version is current before the step ends |
 * | setSecret | nothing: the vendor knows the token, it made it |
 * | testSecret | asks the vendor about the version's token; alone, about the one that is current |
 * | finishSecret | nothing: the version is current; AWS takes AWSPENDING off it |
 *
 * @throws {RotationStepError} not done; nothing is lost, and the next attempt or tick carries on
 * @throws {ConfigError} the event is about another secret than a consumer secret of this vendor
 * @throws {StoreError}
 */
export async function rotationStep(
  event: RotationEvent,
  frame: StepFrame,
  ports: Ports,
): Promise<void> {
  const secret = await describeRotated(frame.secretsManager, event.SecretId)
  const step = { ...event, secret, connection: connectionOf(secret, frame), frame, ports }
  switch (event.Step) {
    case 'createSecret':
      return createSecret(step)
    case 'setSecret':
    case 'finishSecret':
      if (await isDone(step)) return
      throw notYet(step)
    case 'testSecret':
      return testSecret(step)
  }
}

interface StepContext extends RotationEvent {
  readonly secret: RotatedSecret
  readonly connection: Connection
  readonly frame: StepFrame
  readonly ports: Ports
}

function connectionOf({ name, isEnabled }: RotatedSecret, frame: StepFrame): Connection {
  const { vendor, connections } = frame
  const connection = connections.find(({ id }) => consumerSecretId(id) === name)
  if (connection === undefined) {
    throw new ConfigError(
      'SecretId',
      `is not of a secret that this function rotates; rotation is configured on the consumer secrets of ${vendor.id}: ${connections.map(({ id }) => consumerSecretId(id)).join(', ')}`,
    )
  }
  if (isEnabled) return connection
  throw new ConfigError('SecretId', `is of ${name}, for which rotation is not enabled`)
}

/** Whether nothing is left to do for the version: it has been published, whatever has followed since. */
async function isDone({ ClientRequestToken: version, ...step }: StepContext): Promise<boolean> {
  const { ports, connection, frame, secret } = step
  const item = await ports.ledger.read(frame.vendor.id, connection.id)
  if (item?.published?.as === version) return true
  if (item?.ordered?.versionId === version) return false
  if (versionWith('AWSCURRENT', secret) === version) return true
  // Written, but neither ordered nor published: something newer is, or the run that wrote it died.
  return (await ports.secrets.read(secret.name, version)) !== undefined
}

async function createSecret(step: StepContext): Promise<void> {
  const { ClientRequestToken: publishAs, RotationToken, connection, frame, ports } = step
  const { vendor, remainingSeconds, newRunId, secretsManager } = frame
  const rotation = { versionId: publishAs, rotationToken: RotationToken }
  const through = { ...ports, secrets: secretsManagerStore(secretsManager, rotation) }
  while (!(await isDone(step))) {
    const run = { connection, vendor, runId: newRunId(), publishAs, remainingSeconds }
    const outcome = await rotate(run, through)
    if (outcome.outcome !== 'lease-held') {
      frame.report(outcome)
      if (await isDone(step)) return
      throw new RotationStepError(
        `createSecret of ${connection.id} ended as ${outcome.outcome}: ${outcome.message ?? 'the version is not current'}`,
      )
    }
    if (remainingSeconds() <= leastSeconds(ports.timings) + leaseWaitSeconds) {
      throw new RotationStepError(
        `another run is at work on ${connection.id}, and has been for long`,
      )
    }
    await ports.clock.sleep(leaseWaitSeconds)
  }
}

async function testSecret(step: StepContext): Promise<void> {
  const { ClientRequestToken: version, connection, frame, ports, secret } = step
  const labels = secret.stages[version] ?? []
  const text = await written(step)
  if (text === undefined) {
    // Nobody has enrolled yet, so there is nothing to be tested but that this function is reached.
    if (versionWith('AWSCURRENT', secret) === undefined) return
    throw notYet(step)
  }
  // Something newer has been published since, and may have ended this token.
  if (labels.length === 0 || labels.includes('AWSPREVIOUS')) return
  const enrolled = await ports.secrets.read(enrollmentSecretId(connection.id))
  if (enrolled === undefined) {
    throw new RotationStepError(`nobody has enrolled; run: token-rotator enroll ${connection.id}`)
  }
  const held = decodeEnrollment(enrolled.text, enrolled.versionId)
  const published = decodeConsumer(text)
  const isHeld = held.tokens.accessToken?.reveal() === published.accessToken.reveal()
  const client = ports.connect(connection, frame.vendor, held)
  try {
    const timeoutSeconds = ports.timings.idlePatienceSeconds
    const call = { now: ports.clock.now(), timeoutSeconds, known: {} }
    const tokens = { ...published, ...(isHeld ? held.tokens : {}) }
    const verdict = await verify(client, tokens, call)
    if (verdict.verdict === 'good') return
    throw new RotationStepError(
      `testSecret of ${connection.id}: ${describeError(verdict.error).message}`,
    )
  } finally {
    await client.close()
  }
}

/** The document in the rotation's version. It is waited for only if the ledger says that it is there. */
async function written({ ClientRequestToken: version, ...step }: StepContext) {
  const { ports, connection, frame, secret } = step
  const item = await ports.ledger.read(frame.vendor.id, connection.id)
  const tries = item?.published?.as === version ? readTries : 1
  for (let n = 1; ; n++) {
    const found = await ports.secrets.read(secret.name, version)
    if (found !== undefined || n >= tries) return found?.text
    await ports.clock.sleep(ports.timings.storeRetrySeconds)
  }
}

function notYet({ Step, connection }: StepContext): RotationStepError {
  return new RotationStepError(
    `${Step} of ${connection.id}: createSecret has not put a token into the version yet`,
  )
}
