// Plain JavaScript, since on Node 20 a thread does not inherit the reading of TypeScript: it asks for it.
import { register } from 'tsx/esm/api'

register()
await import('./range-worker.ts')
