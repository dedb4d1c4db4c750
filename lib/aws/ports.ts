import { setTimeout as sleep } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { setClock } from '../core/clock.ts'
import { defaultTimings, type Timings } from '../core/renewal.ts'
import type { Ports } from '../core/run.ts'
import { createHttp, transport } from '../http.ts'
import { setByAnswers } from './answer-date.ts'
import type { Settings } from './environment.ts'
import { eventBridgeSink } from './event-bridge.ts'
import { ledgerTable } from './ledger-table.ts'
import { parameterStore } from './parameter-store.ts'
import { peerRegions } from './peer-regions.ts'
import { secretsManagerStore } from './secrets-manager.ts'
import { clientSettings } from './store-error.ts'

/** The engine's ports on AWS. Region, credentials and endpoints come from the standard `AWS_*` variables. */
export function awsPorts(
  settings: Pick<Settings, 'ledgerTable' | 'eventBus' | 'parameterKey' | 'regions'>,
  timings: Timings = defaultTimings,
): Ports {
  const clock = setClock({ now: () => new Date(), sleep: (seconds) => sleep(seconds * 1000) })
  const dynamo = new DynamoDBClient(clientSettings)
  setByAnswers(clock, dynamo)
  return {
    secrets: secretsManagerStore(new SecretsManagerClient(clientSettings)),
    ledger: ledgerTable(dynamo, settings.ledgerTable),
    parameters: parameterStore(new SSMClient(clientSettings), settings.parameterKey),
    events: eventBridgeSink(new EventBridgeClient(clientSettings), settings.eventBus),
    clock,
    timings,
    ...(settings.regions === undefined
      ? {}
      : { regions: peerRegions(settings.regions, settings.ledgerTable) }),
    connect: (connection, vendor, { credential }) =>
      vendor.connect(
        connection,
        credential,
        createHttp(transport(connection.tls, vendor.tlsMaterial?.(credential))),
      ),
  }
}
