import { createHandler } from '../lib/aws/handler.ts'
import { kicsForNetworks } from '../lib/vendors/kics-for-networks.ts'

export const handler = createHandler(kicsForNetworks)
