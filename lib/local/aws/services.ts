import { eventBridge } from './event-bridge.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import type { InternalErrorName } from './faults.ts'
import type { Operation } from './operation.ts'
import { createParameterStore } from './parameter-store.ts'
import type { Replication } from './replication.ts'
import { createRotationRunner, type RotationRunner } from './rotation-runner.ts'
import { secretRecords } from './secret-records.ts'
import { secretReplication } from './secret-replication.ts'
import { secretRotation } from './secret-rotation.ts'
import { createSecretStore } from './secret-store.ts'
import { secretValues } from './secret-values.ts'
import type { VersionLimits } from './secret-versions.ts'
import type { Secret, StateDocument } from './state.ts'
import type { Surroundings } from './surroundings.ts'

/** A service whose requests are one JSON document, told apart by X-Amz-Target. */
export interface Service {
  readonly operations: Readonly<Record<string, Operation>>
  readonly internalError: InternalErrorName
  readonly messageMember: 'Message' | 'message'
}

export interface Services {
  /** By the part of X-Amz-Target that stands before the dot. */
  readonly byTarget: Readonly<Record<string, Service>>
  readonly events: EventLog
  readonly rotations: RotationRunner
  /** Everything that they hold, as it is to be saved. */
  readonly state: () => StateDocument
  /** Goes away from where other regions replicate to. */
  readonly leave: () => void
}

/**
 * @param stored state to go on from
 * @param rotationRetryMs pause before a rotation is tried again
 * @param changed told after every change
 * @param replication what carries secrets to the endpoints of other regions; none by default
 */
export function createServices(
  stored: StateDocument,
  limits: VersionLimits,
  rotationRetryMs: number,
  surroundings: Surroundings,
  changed: () => void,
  replication?: Replication,
): Services {
  const events = createEventLog(stored.events, surroundings, changed)
  const { region } = surroundings
  const local = createSecretStore(stored.secrets, surroundings, events, changed)
  const leave = replication?.join(region, local) ?? (() => undefined)
  const store = {
    ...local,
    write(secret: Secret) {
      local.write(secret)
      replication?.changed(region, secret.name)
    },
  }
  const parameters = createParameterStore(stored.parameters, surroundings, changed)
  const shared = replication === undefined ? {} : { replication }
  const secrets = { store, limits, surroundings, ...shared }
  const rotations = createRotationRunner(store, surroundings, rotationRetryMs)
  return {
    byTarget: {
      secretsmanager: {
        operations: {
          ...secretValues(secrets),
          ...secretRecords(secrets),
          ...secretReplication(secrets),
          ...secretRotation(secrets, rotations),
        },
        internalError: 'InternalServiceError',
        messageMember: 'Message',
      },
      AmazonSSM: {
        operations: parameters.operations,
        internalError: 'InternalServerError',
        messageMember: 'message',
      },
      AWSEvents: {
        operations: eventBridge(events, surroundings),
        internalError: 'InternalException',
        messageMember: 'message',
      },
    },
    events,
    leave,
    rotations,
    state: () => ({
      schema: 1,
      secrets: [...store.all()],
      parameters: [...parameters.all()],
      events: [...events.all()],
    }),
  }
}
