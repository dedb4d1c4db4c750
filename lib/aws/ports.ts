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
import { type CallCount, callCount } from './call-count.ts'
import type { Settings } from './environment.ts'
import { eventBridgeSink } from './event-bridge.ts'
import { type LedgerSurvey, ledgerSurvey } from './ledger-survey.ts'
import { ledgerTable } from './ledger-table.ts'
import { parameterStore } from './parameter-store.ts'
import { peerRegions } from './peer-regions.ts'
import { secretsManagerStore } from './secrets-manager.ts'
import { clientSettings } from './store-error.ts'

/** The engine's ports, and what the metrics are made from. */
export interface AwsPorts extends Ports {
  readonly survey: LedgerSurvey
  readonly calls: CallCount
}

/** The engine's ports on AWS. Region, credentials and endpoints come from the standard `AWS_*` variables. */
export function awsPorts(
  settings: Pick<Settings, 'ledgerTable' | 'eventBus' | 'parameterKey' | 'regions'>,
  timings: Timings = defaultTimings,
  secretsManager: SecretsManagerClient = new SecretsManagerClient(clientSettings),
): AwsPorts {
  const clock = setClock({ now: () => new Date(), sleep: (seconds) => sleep(seconds * 1000) })
  const dynamo = new DynamoDBClient(clientSettings)
  setByAnswers(clock, dynamo)
  const parameters = new SSMClient(clientSettings)
  const events = new EventBridgeClient(clientSettings)
  const calls = callCount()
  for (const client of [dynamo, secretsManager, parameters, events]) calls.watch(client)
  return {
    secrets: secretsManagerStore(secretsManager),
    ledger: ledgerTable(dynamo, settings.ledgerTable),
    survey: ledgerSurvey(dynamo, settings.ledgerTable),
    calls,
    parameters: parameterStore(parameters, settings.parameterKey),
    events: eventBridgeSink(events, settings.eventBus),
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
