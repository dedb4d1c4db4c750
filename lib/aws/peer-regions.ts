import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import type { Peer, Regions } from '../core/ports.ts'
import type { PeerName, RegionNames } from './environment.ts'
import { ledgerTable } from './ledger-table.ts'
import { parameterStore } from './parameter-store.ts'
import { secretsManagerStore } from './secrets-manager.ts'
import { clientSettings } from './store-error.ts'

/** The other regions as the engine sees them. Their ledger tables have the same name; their clocks set nothing here. */
export function peerRegions(
  { own, first, peers }: RegionNames,
  ledgerTableName: string,
  client = clientSettings,
): Regions {
  return { own, first, peers: peers.map((peer) => peerRegion(peer, ledgerTableName, client)) }
}

function peerRegion(
  { region, endpoint }: PeerName,
  ledgerTableName: string,
  client: typeof clientSettings,
): Peer {
  const settings = { ...client, region, ...(endpoint === undefined ? {} : { endpoint }) }
  return {
    region,
    ledger: ledgerTable(new DynamoDBClient(settings), ledgerTableName),
    secrets: secretsManagerStore(new SecretsManagerClient(settings)),
    parameters: parameterStore(new SSMClient(settings)),
  }
}
