import { portsOnEndpoint } from '../aws/ports-on-endpoint.ts'
import { memoryLedger, memoryParameters, memorySecrets } from './memory.ts'
import { ledgerContract, parametersContract, secretStoreContract } from './store-contract.ts'

// What the simulations of the engine run on must behave as what it runs on in the cloud.
secretStoreContract('in memory', async (ids) => memorySecrets(ids))
secretStoreContract('Secrets Manager', async (ids) => (await portsOnEndpoint(ids)).secrets)
ledgerContract('in memory', async () => memoryLedger())
ledgerContract('DynamoDB', async () => (await portsOnEndpoint()).ledger)
parametersContract('in memory', async () => memoryParameters())
parametersContract('Parameter Store', async () => (await portsOnEndpoint()).parameters)
