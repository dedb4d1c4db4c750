import { NestedStack, Stack } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Quota } from '../../lib/aws/call-count.ts'
import { createHandler } from '../../lib/aws/handler.ts'
import { Observability, type ObservabilityProps } from '../../lib/cdk/observability.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import type { RotatorEvent } from '../../lib/core/events.ts'
import type { Cause } from '../../lib/core/incident.ts'
import { conclude } from '../../lib/core/release.ts'
import { kasperskyMdr as simulated } from '../../lib/local/simulators/kaspersky-mdr.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { kasperskyMdr } from '../../lib/vendors/kaspersky-mdr.ts'
import { account, captured, context } from '../aws/account.ts'
import { metricsIn } from '../aws/emf.ts'
import { openRun } from '../core/open-run.ts'
import { mdrWorld } from '../core/world.ts'
import { connections, type Resource, rotatorStack } from './synthesis.ts'

const decoded = decodeConnections(connections, vendors)

/** What operators see of these connections, each vendor in a function of its own, in a stack of its own. */
function observed(more: (stack: Stack) => Partial<ObservabilityProps> = () => ({})) {
  return Template.fromStack(observedStack(more))
}

function observedStack(more: (stack: Stack) => Partial<ObservabilityProps>): Stack {
  const stack = new Stack(undefined, 'Observed')
  const functions = Object.fromEntries(
    ['kaspersky-mdr', 'cisco-ftd'].map((id) => [
      id,
      new LambdaFunction(stack, id, {
        runtime: Runtime.NODEJS_24_X,
        handler: 'index.handler',
        code: Code.fromInline('exports.handler = async () => {}'),
      }),
    ]),
  )
  const eventBus = EventBus.fromEventBusName(stack, 'Bus', 'default')
  const props = { connections: decoded, functions, eventBus, ...more(stack) }
  new Observability(stack, 'Observability', props)
  return stack
}

const fleet = (() => {
  const many = Array.from({ length: 130 }, (_, n) => ({ id: `mdr-${n}`, vendor: 'kaspersky-mdr' }))
  const stack = observedStack(() => ({ connections: decodeConnections(many, vendors) }))
  return { stack, template: Template.fromStack(stack) }
})()

const told = observed((stack) => ({
  alarmTopic: new Topic(stack, 'Alarms'),
  deadLetterQueue: new Queue(stack, 'Dead'),
}))
const alarmsOf = (template: Template): Resource['Properties'][] =>
  Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties,
  )
const alarms = alarmsOf(told)
const dimensionsOf = ({ Dimensions }: Resource['Properties']) =>
  Object.fromEntries(
    (Dimensions as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [Name, Value]),
  )
const named = (name: string) => alarms.filter(({ MetricName }) => MetricName === name)

describe('each connection has an alarm', () => {
  test.each([
    [
      'on less than half of its margin at two ticks in a row',
      'SecondsToStale',
      { Statistic: 'Minimum', Threshold: 0, EvaluationPeriods: 2 },
      'LessThanThreshold',
    ],
    [
      'on a token at risk',
      'TokenAtRisk',
      { Statistic: 'Maximum', Threshold: 1, EvaluationPeriods: 1 },
      'GreaterThanOrEqualToThreshold',
    ],
    [
      'on a needed enrollment',
      'EnrollmentRequired',
      { Statistic: 'Maximum', Threshold: 1, EvaluationPeriods: 1 },
      'GreaterThanOrEqualToThreshold',
    ],
  ])('%s', (_what, metric, how, ComparisonOperator) => {
    expect(named(metric).map(dimensionsOf)).toEqual(
      connections.map(({ id, vendor }) => ({ vendor, connection: id })),
    )
    for (const alarm of named(metric)) {
      expect(alarm).toMatchObject({
        Namespace: 'TokenRotator',
        Period: 60,
        ...how,
        ComparisonOperator,
        // A silent function says nothing about a connection: that is an alarm of its own.
        TreatMissingData: 'ignore',
      })
    }
  })

  test('whose description says what to run', () => {
    for (const name of ['SecondsToStale', 'TokenAtRisk', 'EnrollmentRequired']) {
      for (const { AlarmDescription } of named(name)) {
        expect(AlarmDescription).toMatch(/Run: token-rotator (status|enroll [a-z-]+)$/)
      }
    }
  })
})

describe('each function has an alarm', () => {
  test.each([
    ['on errors', 'Errors', 'AWS/Lambda', 'FunctionName'],
    ['on throttles', 'Throttles', 'AWS/Lambda', 'FunctionName'],
    ['on dead letters', 'AsyncEventsDropped', 'AWS/Lambda', 'FunctionName'],
  ])('%s', (_what, metric, Namespace, dimension) => {
    expect(named(metric).map((alarm) => dimensionsOf(alarm)[dimension])).toEqual([
      { Ref: expect.stringMatching(/^kasperskymdr/) },
      { Ref: expect.stringMatching(/^ciscoftd/) },
    ])
    for (const alarm of named(metric)) {
      expect(alarm).toMatchObject({
        Namespace,
        Statistic: 'Sum',
        Threshold: 1,
        EvaluationPeriods: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        TreatMissingData: 'notBreaching',
      })
    }
  })

  test('on five minutes without a tick, for which missing data counts as none', () => {
    expect(named('Ticks').map((alarm) => dimensionsOf(alarm).function)).toEqual([
      { Ref: expect.stringMatching(/^kasperskymdr/) },
      { Ref: expect.stringMatching(/^ciscoftd/) },
    ])
    for (const alarm of named('Ticks')) {
      expect(alarm).toMatchObject({
        Namespace: 'TokenRotator',
        Statistic: 'Sum',
        Period: 60,
        EvaluationPeriods: 5,
        Threshold: 1,
        ComparisonOperator: 'LessThanThreshold',
        TreatMissingData: 'breaching',
      })
      expect(alarm).not.toHaveProperty('DatapointsToAlarm')
    }
  })
})

test('every metric that an alarm or the page looks at is one that a tick writes', async () => {
  const simulator = await simulated.start()
  onTestFinished(() => simulator.close())
  const { url, ca, credential } = simulator
  const { clientId, refreshToken } = credential
  const configuration = { id: 'mdr-prod', vendor: 'kaspersky-mdr', url, clientId, tls: { ca } }
  await account([{ configuration, enroll: { refreshToken } }])
  vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'rotator-mdr')
  const printed = captured()
  await createHandler(kasperskyMdr)({}, context)
  const kinds = metricsIn(printed.text).map(
    ({ namespace, name, of }) => `${namespace} ${name} by ${Object.keys(of).sort().join(' ')}`,
  )
  const written = new Set(kinds)
  const ours = alarms.filter(({ Namespace }) => Namespace === 'TokenRotator')
  expect(ours).toHaveLength(3 * 3 + 2)
  for (const alarm of ours) {
    const dimensions = Object.keys(dimensionsOf(alarm)).sort().join(' ')
    expect([...written]).toContain(`TokenRotator ${alarm.MetricName} by ${dimensions}`)
  }
  const page = pageOf(told)
  const shown = [...page.matchAll(/\["TokenRotator","(\w+)",("[^\]]*?)(?:,\{|\])/g)].map(
    ([, name, rest = '']) => {
      const words = [...rest.matchAll(/"([^"]*)"/g)].map(([, word]) => word)
      return `TokenRotator ${name} by ${words
        .filter((_, index) => index % 2 === 0)
        .sort()
        .join(' ')}`
    },
  )
  expect(shown.length).toBeGreaterThan(10)
  for (const kind of new Set(shown)) expect([...written]).toContain(kind)
  const searched = [...page.matchAll(/\{TokenRotator,([\w,]+)\} MetricName=\\*"(\w+)/g)].map(
    ([, dimensions = '', name]) =>
      `TokenRotator ${name} by ${dimensions.split(',').sort().join(' ')}`,
  )
  expect(searched).toHaveLength(2)
  for (const kind of searched) expect([...written]).toContain(kind)
})

/** The page's JSON, with a word in place of what only a deployment knows. */
function pageOf(template: Template): string {
  const [page] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'))
  const body = page?.Properties.DashboardBody as { 'Fn::Join': [string, unknown[]] }
  return body['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : 'deployed')).join('')
}

describe('the one dashboard', () => {
  const page = pageOf(told)
  const titled = (title: string) =>
    (
      JSON.parse(page) as {
        widgets: { properties: { title: string; metrics?: unknown[][]; alarms?: unknown[] } }[]
      }
    ).widgets
      .map(({ properties }) => properties)
      .find((widget) => widget.title.startsWith(title))

  test('shows how fresh the token of every connection is', () => {
    told.resourceCountIs('AWS::CloudWatch::Dashboard', 1)
    expect(titled('Freshness')?.metrics?.map((metric) => metric.slice(0, 6))).toEqual(
      connections.map(({ id, vendor }) => [
        'TokenRotator',
        'SecondsToExpiry',
        'connection',
        id,
        'vendor',
        vendor,
      ]),
    )
  })

  test('shows every alarm, the outcomes, and the writes against Secrets Manager’s quota', () => {
    expect(titled('Alarms')?.alarms).toHaveLength(alarms.length)
    expect(JSON.stringify(titled('Outcomes'))).toContain('{TokenRotator,vendor,connection,code}')
    const writes = titled('Secrets Manager: writes')
    expect(writes?.metrics?.[0]).toEqual([
      expect.objectContaining({ expression: 'SUM([w0, w1]) / 60' }),
    ])
    expect(JSON.stringify(writes)).toContain('"value":50')
  })

  test('shows each kind of call that AWS counts against its quota', () => {
    // As a function counts them; the ledger's are not limited by calls.
    const counted: readonly Exclude<Quota, 'ledger'>[] = [
      'secret-writes',
      'secret-reads',
      'parameters',
      'events',
    ]
    const shares = titled('Calls to AWS, as percent')
    const expressions = (shares?.metrics ?? []).filter(([first]) => typeof first === 'object')
    expect(expressions).toEqual([
      [
        expect.objectContaining({
          label: 'secret-writes, of 50 a second',
          expression: 'SUM([q0w0, q0w1]) / 60 * 2',
        }),
      ],
      [
        expect.objectContaining({
          label: 'secret-reads, of 10000 a second',
          expression: 'SUM([q1w0, q1w1]) / 60 * 0.01',
        }),
      ],
      [
        expect.objectContaining({
          label: 'parameters, of 40 a second',
          expression: 'SUM([q2w0, q2w1]) / 60 * 2.5',
        }),
      ],
      [
        expect.objectContaining({
          label: 'events, of 600 a second',
          expression: expect.stringMatching(/^SUM\(\[q3w0, q3w1\]\) \/ 60 \* 0\.1666/),
        }),
      ],
    ])
    expect(JSON.stringify(shares)).toContain('"value":100')
    for (const quota of counted) expect(JSON.stringify(shares)).toContain(`"quota","${quota}"`)
  })

  test('of a large fleet has no widget with more lines or alarms than it takes', () => {
    const { widgets } = JSON.parse(pageOf(fleet.template)) as {
      widgets: { properties: { metrics?: unknown[]; alarms?: unknown[] } }[]
    }
    const sizes = widgets.map(({ properties }) =>
      Math.max(properties.metrics?.length ?? 0, properties.alarms?.length ?? 0),
    )
    expect(Math.max(...sizes)).toBe(100)
    expect(sizes.filter((size) => size === 100).length).toBeGreaterThan(5)
  })
})

test('the alarms of a large fleet stand in nested stacks, each within what CloudFormation takes', () => {
  fleet.template.resourceCountIs('AWS::CloudFormation::Stack', 3)
  fleet.template.resourceCountIs('AWS::CloudWatch::Alarm', 8)
  const nested = fleet.stack.node
    .findAll()
    .filter((child) => child instanceof NestedStack)
    .map((child) => Template.fromStack(child).toJSON() as Record<string, object>)
  const sizes = nested.map(({ Resources = {} }) => Object.keys(Resources).length)
  expect(sizes).toEqual([180, 180, 30])
  for (const { Outputs = {} } of nested) {
    expect(Object.keys(Outputs).length).toBeLessThanOrEqual(200)
  }
  told.resourceCountIs('AWS::CloudFormation::Stack', 0)
})

describe('a topic', () => {
  test('is told of every alarm when it is raised and when it is over', () => {
    for (const { AlarmActions, OKActions } of alarms) {
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^Alarms/) }])
      expect(OKActions).toEqual(AlarmActions)
    }
  })

  test('that is missing leaves alarms and page as they are, and nobody told', () => {
    const silent = observed()
    expect(alarmsOf(silent)).toHaveLength(alarms.length)
    for (const alarm of alarmsOf(silent)) expect(alarm).not.toHaveProperty('AlarmActions')
    silent.resourceCountIs('AWS::CloudWatch::Dashboard', 1)
    silent.resourceCountIs('AWS::Events::Rule', 0)
  })

  test('keeps the policy by which the account’s own alarms may publish to it', () => {
    told.resourceCountIs('AWS::SNS::TopicPolicy', 0)
    told.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 'sns:Publish',
            Effect: 'Allow',
            Resource: { Ref: Match.stringLikeRegexp('^Alarms') },
          },
        ],
      },
    })
  })

  test('under a key of a customer is one that alarms and the words may be published to', () => {
    const encrypted = observed((stack) => {
      const masterKey = new Key(stack, 'Key')
      return { alarmTopic: new Topic(stack, 'Alarms', { masterKey }) }
    })
    const use = { Action: ['kms:Decrypt', 'kms:GenerateDataKey'], Effect: 'Allow' }
    const [id = ''] = Object.keys(encrypted.findResources('AWS::KMS::Key'))
    encrypted.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([
          { ...use, Principal: { Service: 'cloudwatch.amazonaws.com' }, Resource: '*' },
        ]),
      },
    })
    encrypted.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([{ ...use, Resource: { 'Fn::GetAtt': [id, 'Arn'] } }]),
      },
    })
  })

  test('under a key that is imported is one whose key policy has to be changed by hand, as synthesis says', () => {
    // CDK prints the warning as well.
    vi.spyOn(console, 'error').mockReturnValue()
    const stack = observedStack((scope) => ({
      alarmTopic: Topic.fromTopicAttributes(scope, 'Alarms', {
        topicArn: 'arn:aws:sns:eu-west-1:111122223333:on-call',
        keyArn: 'arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000001',
      }),
    }))
    Annotations.fromStack(stack).hasWarning(
      '*',
      Match.stringLikeRegexp('imported key of the alarms. topic must let cloudwatch.amazonaws.com'),
    )
  })

  test('of its own for incidents takes the words, and the other one the alarms', () => {
    const both = observed((stack) => ({
      alarmTopic: new Topic(stack, 'Alarms'),
      incidentTopic: new Topic(stack, 'People'),
    }))
    both.hasResourceProperties('AWS::Events::Rule', {
      Targets: [Match.objectLike({ Arn: { Ref: Match.stringLikeRegexp('^People') } })],
    })
    both.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [{ Ref: Match.stringLikeRegexp('^Alarms') }],
    })
  })

  test('given to the construct is the one that is told', () => {
    const owner = new Stack(undefined, 'Owner', {
      env: { account: '111122223333', region: 'eu-west-1' },
    })
    const arn = 'arn:aws:sns:eu-west-1:111122223333:on-call'
    const stack = rotatorStack({ alarmTopic: Topic.fromTopicArn(owner, 'OnCall', arn) })
    const template = Template.fromStack(stack)
    // And that of the queue of dead ticks, which is on the page as well.
    template.resourceCountIs('AWS::CloudWatch::Alarm', alarms.length + 1)
    const [dead = ''] = Object.keys(
      template.findResources('AWS::CloudWatch::Alarm', {
        Properties: { Namespace: 'AWS/SQS' },
      }),
    )
    const [page] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'))
    expect(JSON.stringify(page)).toContain(JSON.stringify({ 'Fn::GetAtt': [dead, 'Arn'] }))
    template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [arn] })
    template.hasResourceProperties('AWS::Events::Rule', {
      Targets: [Match.objectLike({ Arn: arn })],
    })
    const functions = Object.keys(template.findResources('AWS::Lambda::Function'))
    const errors = alarmsOf(template).filter(({ MetricName }) => MetricName === 'Errors')
    expect(errors.map((alarm) => dimensionsOf(alarm).FunctionName)).toEqual(
      functions.map((Ref) => ({ Ref })),
    )
  })
})

describe('a message in words', () => {
  const [rule] = Object.values(told.findResources('AWS::Events::Rule'))
  const { EventPattern, EventBusName, Targets } = rule?.Properties ?? {}

  /** What the rule makes of an event: a message, or nothing if it does not match. */
  function message({ detail, idempotencyKey }: RotatorEvent): string | undefined {
    const event = { source: 'token-rotator', detail: { idempotencyKey, ...detail } }
    const { InputPathsMap, InputTemplate } = Targets[0].InputTransformer
    expect(Object.keys(EventPattern)).toEqual(['source', 'detail'])
    expect(Object.keys(EventPattern.detail)).toEqual(['notify'])
    if (!EventPattern.source.includes(event.source)) return undefined
    if (!EventPattern.detail.notify.includes(event.detail.notify)) return undefined
    const valueAt = (path: string) =>
      path
        .split('.')
        .slice(1)
        .reduce((value, name) => (Object(value) as Record<string, unknown>)[name], event as unknown)
    return (InputTemplate as string).replace(/<([\w-]+)>/g, (_, name: string) =>
      String(valueAt(InputPathsMap[name])),
    )
  }

  /** The messages that come of a run which ends so. */
  async function messages(cause: Cause, toldBefore: Cause[] = []) {
    const world = mdrWorld()
    const published = {
      versionId: 'version-1',
      issuedAt: new Date('2025-12-31T23:57:00Z'),
      expiresAt: new Date('2026-01-01T00:02:00Z'),
      held: true,
      where: 'secret',
      proven: true,
    } as const
    const openedAt = new Date('2026-01-01T00:00:00Z')
    const incident = { id: 'mdr-prod/version-0/0', openedAt, told: toldBefore }
    const context = await openRun(world, {
      item: { published, ...(toldBefore.length === 0 ? {} : { incident }) },
    })
    await conclude({ outcome: 'blocked', cause, message: 'the vendor said "no"' }, context)
    return world.events.emitted.map(message).filter((text) => text !== undefined)
  }

  test('is one for an incident, of whichever causes it is made', async () => {
    const sent = await messages('enrollment-required')
    expect(sent).toHaveLength(1)
    const lines = sent[0]?.split('\n').map((line) => JSON.parse(line) as string)
    expect(lines).toEqual([
      'mdr-prod (Kaspersky MDR): a person has to enroll it again.',
      "What happened: the vendor said 'no'.",
      'Who is concerned: the secret token-rotator/mdr-prod/access-token is read by whoever has been granted it. The token in it lives until 2026-01-01T00:02:00.000Z, for 2 more minutes.',
      expect.stringMatching(
        /^What to do: \(1\) open Kaspersky .* \(4\) run: token-rotator enroll mdr-prod\.$/,
      ),
      'Delivered twice, it is one message: mdr-prod/version-1/0/enrollment-required',
    ])
  })

  test('is not sent of what joins an incident, unless it needs a hand', async () => {
    expect(await messages('verify-failed', ['token-at-risk'])).toEqual([])
    expect(await messages('enrollment-required', ['token-at-risk'])).toHaveLength(1)
  })

  test('is not sent of what goes well', () => {
    const detail = { schema: 1, connection: 'a', vendor: 'b', at: 'c', outcome: 'rotated' } as const
    expect(message({ type: 'Token Rotated', idempotencyKey: 'run-1', detail })).toBeUndefined()
  })

  test('is taken from the bus of the functions, and kept if it cannot be delivered', () => {
    expect(EventBusName).toBe('default')
    expect(Targets[0].DeadLetterConfig.Arn).toEqual({
      'Fn::GetAtt': [expect.stringMatching(/^Dead/), 'Arn'],
    })
  })
})
