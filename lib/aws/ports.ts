import { setTimeout as sleep } from 'node:timers/promises'
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
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

/** What AWS calls are signed with. */
export type Credentials = NonNullable<DynamoDBClientConfig['credentials']>

/**
 * The engine's ports on AWS. Region, credentials and endpoints come from the standard `AWS_*` variables.
 *
 * @param settings with `credentials` to work by others
 */
export function awsPorts(
  settings: Pick<Settings, 'ledgerTable' | 'eventBus' | 'parameterKey' | 'regions'> & {
    readonly credentials?: Credentials
  },
  timings: Timings = defaultTimings,
  given?: SecretsManagerClient,
): AwsPorts {
  const { credentials } = settings
  const client = credentials === undefined ? clientSettings : { ...clientSettings, credentials }
  const secretsManager = given ?? new SecretsManagerClient(client)
  const clock = setClock({ now: () => new Date(), sleep: (seconds) => sleep(seconds * 1000) })
  const dynamo = new DynamoDBClient(client)
  setByAnswers(clock, dynamo)
  const parameters = new SSMClient(client)
  const events = new EventBridgeClient(client)
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
      : { regions: peerRegions(settings.regions, settings.ledgerTable, client) }),
    connect: (connection, vendor, { credential }) =>
      vendor.connect(
        connection,
        credential,
        createHttp(transport(connection.tls, vendor.tlsMaterial?.(credential))),
      ),
  }
}
