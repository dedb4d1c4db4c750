/** A document in CloudWatch's embedded metric format. */
interface Emf {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: readonly (readonly string[])[]
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[]
    }[]
  }
  readonly [key: string]: unknown
}

/** One value that CloudWatch would take from a log. */
export interface Written {
  readonly namespace: string
  readonly name: string
  readonly unit: string
  readonly of: Readonly<Record<string, unknown>>
  readonly value: unknown
}

/** Every value in a log, as CloudWatch reads it: each metric under each of its sets of dimensions. */
export function metricsIn(log: string): Written[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"_aws"'))
    .flatMap((line) => {
      const document = JSON.parse(line) as Emf
      return document._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
        Dimensions.flatMap((names) =>
          Metrics.map(({ Name, Unit }) => ({
            namespace: Namespace,
            name: Name,
            unit: Unit,
            of: Object.fromEntries(names.map((name) => [name, document[name]])),
            value: document[Name],
          })),
        ),
      )
    })
}
