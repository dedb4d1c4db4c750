import { expect, test } from 'vitest'
import { portsOnEndpoint } from '../aws/ports-on-endpoint.ts'
import { memoryLedger, memoryParameters, memorySecrets } from './memory.ts'
import { ledgerContract, parametersContract, secretStoreContract } from './store-contract.ts'
import { start } from './world.ts'

// What the simulations of the engine run on must behave as what it runs on in the cloud.
secretStoreContract('in memory', async (ids) => memorySecrets(ids))
secretStoreContract('Secrets Manager', async (ids) => (await portsOnEndpoint(ids)).secrets)
ledgerContract('in memory', async () => memoryLedger())
ledgerContract('DynamoDB', async () => (await portsOnEndpoint()).ledger)
parametersContract('in memory', async () => memoryParameters())
parametersContract('Parameter Store', async () => (await portsOnEndpoint()).parameters)

test('Secrets Manager tells when a version was written', async () => {
  const secretId = 'token-rotator/ftd-hq/enrollment'
  const { secrets } = await portsOnEndpoint([secretId])
  const versionId = '00000000-0000-4000-8000-000000000001'
  await secrets.put(secretId, { versionId, text: '{}' }, 'current')
  expect(await secrets.read(secretId)).toMatchObject({ createdAt: start })
})
