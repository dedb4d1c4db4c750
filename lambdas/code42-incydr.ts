import { createHandler } from '../lib/aws/handler.ts'
import { code42Incydr } from '../lib/vendors/code42-incydr.ts'

export const handler = createHandler(code42Incydr)
