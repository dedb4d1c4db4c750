import { createHandler } from '../lib/aws/handler.ts'
import { kasperskyMdr } from '../lib/vendors/kaspersky-mdr.ts'

export const handler = createHandler(kasperskyMdr)
