import { createHandler } from '../lib/aws/handler.ts'
import { kasperskySecurityCenter } from '../lib/vendors/kaspersky-security-center.ts'

export const handler = createHandler(kasperskySecurityCenter)
