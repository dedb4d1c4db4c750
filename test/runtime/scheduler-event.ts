import { randomUUID } from 'node:crypto'

/** What EventBridge Scheduler sends to a function whose schedule has no input of its own. */
export function schedulerEvent(now = new Date()) {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.scheduler',
    account: '123456789012',
    time: `${now.toISOString().slice(0, 19)}Z`,
    region: 'us-east-1',
    resources: ['arn:aws:scheduler:us-east-1:123456789012:schedule/default/tick'],
    // A text, not an object: so it comes.
    detail: '{}',
  }
}
