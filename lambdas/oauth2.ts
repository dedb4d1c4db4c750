import { createHandler } from '../lib/aws/handler.ts'
import { oauth2 } from '../lib/vendors/oauth2.ts'

export const handler = createHandler(oauth2)
