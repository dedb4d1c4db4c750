import { NestedStack } from 'aws-cdk-lib'
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { chunks } from './chunks.ts'
import { ConnectionAlarms } from './connection-alarms.ts'
import { FunctionAlarms } from './function-alarms.ts'
import { IncidentNotices } from './incident-notices.ts'
import { RotatorDashboard } from './rotator-dashboard.ts'
import { openToAlarms } from './topic-key.ts'

/** Connections whose alarms stand beside all else; what else there is for each takes room as well. */
const mostBeside = 30

/** Connections whose alarms stand in one nested stack, which hands each of them out, 200 at most. */
const mostNested = 60

export interface ObservabilityProps {
  /** Every connection, each of which gets its alarms. */
  readonly connections: readonly Connection[]
  /** Every function of the rotator, by a name that people read, e.g. the vendor's id. */
  readonly functions: Readonly<Record<string, IFunction>>
  /** The bus that the functions put their events on. */
  readonly eventBus: IEventBus
  /**
   * Where alarms are sent, when they are raised and when they are over.
   *
   * @default they are raised, and nobody is told
   */
  readonly alarmTopic?: ITopic
  /**
   * Where a person is told of each incident in words, once.
   *
   * @default messages go to `alarmTopic`
   */
  readonly incidentTopic?: ITopic
  /**
   * Where such a message ends that could not be delivered.
   *
   * @default it is dropped
   */
  readonly deadLetterQueue?: IQueue
  /**
   * Alarms that somebody else has made, to be shown on the page as well.
   *
   * @default the page shows those of connections and functions alone
   */
  readonly otherAlarms?: readonly Alarm[]
}

/** What operators see: alarms, one dashboard, and a message in words for each incident. */
export class Observability extends Construct {
  readonly alarms: readonly Alarm[]
  readonly dashboard: RotatorDashboard

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id)
    const { connections, functions, eventBus, alarmTopic, deadLetterQueue } = props
    const ofFunctions = new Construct(this, 'Functions')
    this.alarms = [
      ...this.#scopes(connections).flatMap(({ within, some }) =>
        some.map((connection) => new ConnectionAlarms(within, connection)),
      ),
      ...Object.entries(functions).map(
        ([name, lambda]) => new FunctionAlarms(ofFunctions, name, lambda),
      ),
    ].flatMap(({ all }) => all)
    if (alarmTopic !== undefined) {
      openToAlarms(this, alarmTopic)
      const action = new SnsAction(alarmTopic)
      for (const alarm of this.alarms) {
        alarm.addAlarmAction(action)
        alarm.addOkAction(action)
      }
    }
    const topic = props.incidentTopic ?? alarmTopic
    if (topic !== undefined) {
      new IncidentNotices(this, 'Incidents', {
        eventBus,
        topic,
        ...(deadLetterQueue === undefined ? {} : { deadLetterQueue }),
      })
    }
    this.dashboard = new RotatorDashboard(this, 'Page', {
      connections,
      functions,
      alarms: [...this.alarms, ...(props.otherAlarms ?? [])],
    })
  }

  /** A stack holds 500 resources: the alarms of a larger fleet stand in nested stacks of their own. */
  #scopes(connections: readonly Connection[]) {
    const scope = new Construct(this, 'Connections')
    if (connections.length <= mostBeside) return [{ within: scope, some: connections }]
    return chunks(connections, mostNested).map((some, n) => ({
      within: new NestedStack(scope, `Alarms${n}`),
      some,
    }))
  }
}
