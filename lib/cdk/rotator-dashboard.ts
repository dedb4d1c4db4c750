import { Duration } from 'aws-cdk-lib'
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IWidget,
  MathExpression,
  PeriodOverride,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { metricNamespace, type Standing } from '../core/measure.ts'
import { chunks } from './chunks.ts'
import { callsMetric, standingMetric } from './rotator-metrics.ts'

/** An alarm widget takes a hundred alarms; a graph of more lines than that shows nothing to anybody. */
const mostInWidget = 100

/**
 * Calls a second that AWS takes of an account in a region, unless it is asked for more: of the calls that
 * count against it, the fewest that any of them is allowed where a service has several rates or regions
 * differ. DynamoDB limits units of a table, not calls.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html not adjustable
 * @see https://docs.aws.amazon.com/general/latest/gr/ssm.html GetParameter, at the default throughput
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html PutEvents, in the smallest regions
 */
const callsPerSecond = {
  'secret-writes': 50,
  'secret-reads': 10_000,
  parameters: 40,
  events: 600,
} as const

/** By the name that is shown. */
type Functions = Readonly<Record<string, IFunction>>

export interface RotatorDashboardProps {
  /** Every connection, each of which gets its lines. */
  readonly connections: readonly Connection[]
  /** Every function, whose calls are counted together. */
  readonly functions: Functions
  /** Every alarm of the installation. */
  readonly alarms: readonly Alarm[]
}

/** One page: what is raised, how fresh each token is, what runs came to, and calls to AWS against their quotas. */
export class RotatorDashboard extends Construct {
  readonly dashboard: Dashboard

  constructor(scope: Construct, id: string, props: RotatorDashboardProps) {
    super(scope, id)
    const { connections, functions, alarms } = props
    this.dashboard = new Dashboard(this, 'Dashboard', {
      periodOverride: PeriodOverride.INHERIT,
      defaultInterval: Duration.hours(12),
    })
    this.dashboard.addWidgets(
      ...chunks(alarms, mostInWidget).map(
        (some) => new AlarmStatusWidget({ title: 'Alarms', alarms: some, width: 24 }),
      ),
    )
    for (const some of chunks(connections, mostInWidget)) {
      this.dashboard.addWidgets(
        standing('Freshness: seconds until the published token is dead', some, 'SecondsToExpiry'),
        standing('Seconds until it has less than half of its margin', some, 'SecondsToStale'),
      )
    }
    this.dashboard.addWidgets(outcomes(), durations())
    this.dashboard.addWidgets(secretWrites(functions), shares(functions), calls(functions))
    for (const some of chunks(connections, mostInWidget)) {
      this.dashboard.addWidgets(
        standing('Versions that the secrets still take', some, 'VersionBudgetLeft'),
        standing('Seconds until the refresh token is dead', some, 'RefreshSecondsToExpiry'),
      )
    }
  }
}

function standing(
  title: string,
  connections: readonly Connection[],
  metricName: keyof Standing,
): IWidget {
  return new GraphWidget({
    title,
    width: 12,
    left: connections.map((connection) =>
      standingMetric(connection, metricName, { statistic: Stats.MINIMUM, label: connection.id }),
    ),
    leftAnnotations: [{ value: 0, label: 'from here on somebody is told' }],
  })
}

/** Found by search: which codes there will be is not known when the page is made. */
function outcomes(): IWidget {
  return new GraphWidget({
    title: 'Outcomes by code, in five minutes',
    width: 12,
    stacked: true,
    left: [search('vendor,connection,code', 'Outcome', Stats.SUM)],
  })
}

function durations(): IWidget {
  return new GraphWidget({
    title: 'Seconds that a rotation takes, the slowest in five minutes',
    width: 12,
    left: [search('vendor,connection', 'RotationDuration', Stats.MAXIMUM)],
  })
}

function search(dimensions: string, metricName: string, statistic: string): MathExpression {
  return new MathExpression({
    expression: `SEARCH('{${metricNamespace},${dimensions}} MetricName="${metricName}"', '${statistic}', 300)`,
    label: '',
    usingMetrics: {},
    period: Duration.minutes(5),
  })
}

function secretWrites(functions: Functions): IWidget {
  const quota = 'secret-writes'
  return new GraphWidget({
    title: 'Secrets Manager: writes a second, against the quota',
    width: 8,
    left: [perSecond(functions, quota, { label: 'all functions', id: 'w', by: 1 })],
    leftAnnotations: [{ value: callsPerSecond[quota], label: 'quota of the account' }],
    leftYAxis: { min: 0 },
  })
}

function shares(functions: Functions): IWidget {
  const quotas = Object.entries(callsPerSecond) as [keyof typeof callsPerSecond, number][]
  return new GraphWidget({
    title: 'Calls to AWS, as percent of their quotas',
    width: 8,
    left: quotas.map(([quota, most], index) =>
      perSecond(functions, quota, {
        label: `${quota}, of ${most} a second`,
        id: `q${index}w`,
        by: 100 / most,
      }),
    ),
    leftAnnotations: [{ value: 100, label: 'quota of the account' }],
    leftYAxis: { min: 0 },
  })
}

/** Calls a second of all functions together, times a number; their own metrics have ids that begin with `id`. */
function perSecond(
  functions: Functions,
  quota: string,
  { label, id, by }: { label: string; id: string; by: number },
): MathExpression {
  const counted = Object.entries(functions).map(
    ([name, lambda], index) => [`${id}${index}`, callsMetric(lambda, quota, name)] as const,
  )
  const names = counted.map(([name]) => name)
  return new MathExpression({
    expression: `SUM([${names.join(', ')}]) / 60${by === 1 ? '' : ` * ${by}`}`,
    label,
    usingMetrics: Object.fromEntries(counted),
    period: Duration.minutes(1),
  })
}

function calls(functions: Functions): IWidget {
  const others = ['secret-reads', 'parameters', 'ledger', 'events']
  return new GraphWidget({
    title: 'Other calls to AWS in a minute',
    width: 8,
    stacked: true,
    left: Object.entries(functions).flatMap(([name, lambda]) =>
      others.map((quota) => callsMetric(lambda, quota, `${name}: ${quota}`)),
    ),
  })
}
