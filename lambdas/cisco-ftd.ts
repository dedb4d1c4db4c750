import { createHandler } from '../lib/aws/handler.ts'
import { ciscoFtd } from '../lib/vendors/cisco-ftd.ts'

export const handler = createHandler(ciscoFtd)
