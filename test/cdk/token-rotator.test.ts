import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stack, Stage } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { AccountPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../lib/aws/environment.ts'
import { TokenRotator } from '../../lib/cdk/token-rotator.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { dueIndex as queriedIndex } from '../../lib/core/documents.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { temporaryFolder } from '../temporary.ts'
import { assets, connections, env, resourcesOf, rotatorStack, testApp } from './synthesis.ts'
import { vpc } from './vpc.ts'

const stack = rotatorStack()
const template = Template.fromStack(stack)
const functions = resourcesOf(stack, 'AWS::Lambda::Function')
const deadLetters = { 'Fn::GetAtt': [Match.stringLikeRegexp('DeadLettersQueue'), 'Arn'] }

describe('the ledger', () => {
  test('is keyed by vendor and connection, with a local index by due time', () => {
    template.hasResourceProperties('AWS::DynamoDB::Table', {
      KeySchema: [
        { AttributeName: 'vendor', KeyType: 'HASH' },
        { AttributeName: 'connection', KeyType: 'RANGE' },
      ],
      LocalSecondaryIndexes: [
        {
          IndexName: queriedIndex,
          KeySchema: [
            { AttributeName: 'vendor', KeyType: 'HASH' },
            { AttributeName: 'dueAt', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    })
  })

  test('is paid by request, encrypted, recoverable to a point in time and protected', () => {
    template.hasResourceProperties('AWS::DynamoDB::Table', {
      BillingMode: 'PAY_PER_REQUEST',
      SSESpecification: { SSEEnabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      DeletionProtectionEnabled: true,
    })
  })

  test('outlives the stack', () => {
    template.hasResource('AWS::DynamoDB::Table', {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })
})

describe('the functions', () => {
  test('are one for each vendor in use', () => {
    expect(
      Object.values(functions)
        .map(({ Properties }) => Properties.Handler)
        .sort(),
    ).toEqual(['cisco-ftd.handler', 'kaspersky-mdr.handler'])
    const one = rotatorStack({ connections: connections.slice(0, 1) })
    Template.fromStack(one).resourceCountIs('AWS::Lambda::Function', 1)
  })

  test('run on Node 24 and arm64 for five minutes at most', () => {
    template.allResourcesProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 300,
    })
  })

  test('may wait for a vendor as patiently as the engine wants and still persist', () => {
    const { spendingPatienceSeconds, persistReserveSeconds } = defaultTimings
    for (const { Properties } of Object.values(functions)) {
      expect(Properties.Timeout).toBeGreaterThan(spendingPatienceSeconds + persistReserveSeconds)
    }
  })

  test('are repeated by nobody, and drop an event that waited a minute', () => {
    template.resourceCountIs('AWS::Lambda::EventInvokeConfig', 2)
    template.allResourcesProperties('AWS::Lambda::EventInvokeConfig', {
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
    })
  })

  test('take no concurrency from the account', () => {
    template.allResourcesProperties('AWS::Lambda::Function', {
      ReservedConcurrentExecutions: Match.absent(),
    })
  })

  test('keep their logs as JSON for a month, under the key of CloudWatch, and are not traced', () => {
    template.resourceCountIs('AWS::Logs::LogGroup', 2)
    template.allResourcesProperties('AWS::Logs::LogGroup', {
      RetentionInDays: 30,
      KmsKeyId: Match.absent(),
    })
    template.allResourcesProperties('AWS::Lambda::Function', {
      LoggingConfig: { LogFormat: 'JSON', LogGroup: { Ref: Match.anyValue() } },
      TracingConfig: Match.absent(),
    })
  })

  test('keep their logs as long as is wished, under a key that is given, and are traced if asked for', () => {
    const app = testApp()
    const scene = new Stack(app, 'Scene', { env })
    const logEncryptionKey = new Key(scene, 'Key')
    const logRetention = RetentionDays.ONE_YEAR
    const own = { connections, assets, logEncryptionKey, logRetention, tracing: true }
    new TokenRotator(scene, 'Rotator', own)
    const wished = Template.fromStack(scene)
    wished.allResourcesProperties('AWS::Logs::LogGroup', {
      RetentionInDays: 365,
      KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] },
    })
    wished.allResourcesProperties('AWS::Lambda::Function', { TracingConfig: { Mode: 'Active' } })
    wished.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Principal: { Service: 'logs.eu-west-1.amazonaws.com' },
            Condition: {
              ArnLike: {
                'kms:EncryptionContext:aws:logs:arn':
                  'arn:aws:logs:eu-west-1:111122223333:log-group:*',
              },
            },
          }),
        ]),
      },
    })
  })

  test('send what they could not finish to the queue of dead ticks', () => {
    template.allResourcesProperties('AWS::Lambda::EventInvokeConfig', {
      DestinationConfig: { OnFailure: { Destination: deadLetters } },
    })
  })

  test.each([...new Set(decodeConnections(connections, vendors).map(({ vendor }) => vendor))])(
    'of %s finds in its environment and asset just what its handler reads',
    (vendor) => {
      const { Environment, Code } =
        Object.values(functions).find(
          ({ Properties }) => Properties.Handler === `${vendor}.handler`,
        )?.Properties ?? {}
      const asset = Code.S3Key.replace('.zip', '')
      const outdir = Stage.of(stack)?.outdir ?? ''
      const deployed = readFileSync(
        join(outdir, assetFolder(outdir, asset), 'connections.json'),
        'utf8',
      )
      const { TOKEN_ROTATOR_CONNECTIONS: path, ...environment } = Environment.Variables
      expect(path).toBe('/var/task/connections.json')

      const vendorTable = { [vendor]: vendors[vendor] as (typeof vendors)[string] }
      expect(decodeConnections(JSON.parse(deployed), vendorTable)).toEqual(
        decodeConnections(connections, vendors).filter((each) => each.vendor === vendor),
      )
      const folder = join(outdir, assetFolder(outdir, asset))
      expect(
        readSettings(
          {
            ...environment,
            TOKEN_ROTATOR_LEDGER_TABLE: JSON.stringify(environment.TOKEN_ROTATOR_LEDGER_TABLE),
            TOKEN_ROTATOR_CONNECTIONS: join(folder, 'connections.json'),
          },
          vendorTable,
        ),
      ).toMatchObject({
        ledgerTable: expect.stringContaining('Ledger'),
        eventBus: 'default',
      })
    },
  )

  test('fail to synthesize, with the way out, where they have not been built', () => {
    expect(() => rotatorStack({ assets: temporaryFolder() })).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(/kaspersky-mdr: has not been built; run npm run build$/),
      }),
    )
  })
})

test('each function is invoked once a minute and not again if that fails', () => {
  template.resourceCountIs('AWS::Scheduler::Schedule', 2)
  template.allResourcesProperties('AWS::Scheduler::Schedule', {
    ScheduleExpression: 'rate(1 minute)',
    State: 'ENABLED',
    FlexibleTimeWindow: { Mode: 'OFF' },
    GroupName: Match.stringLikeRegexp('Schedules'),
    Target: {
      RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
      DeadLetterConfig: { Arn: deadLetters },
    },
  })
})

describe('the queue of dead ticks', () => {
  test('is encrypted, keeps for two weeks, and refuses who comes without TLS', () => {
    template.resourceCountIs('AWS::SQS::Queue', 1)
    template.hasResourceProperties('AWS::SQS::Queue', {
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
    })
  })

  test('raises an alarm as soon as something lies in it, which is sent to a topic that is given', () => {
    const alarm = {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Statistic: 'Maximum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
    }
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...alarm,
      AlarmActions: Match.absent(),
    })
    const arn = 'arn:aws:sns:eu-west-1:111122223333:security'
    const alarmTopic = Topic.fromTopicArn(new Stack(undefined, 'Owner', { env }), 'Topic', arn)
    Template.fromStack(rotatorStack({ alarmTopic })).hasResourceProperties(
      'AWS::CloudWatch::Alarm',
      {
        ...alarm,
        AlarmActions: [arn],
      },
    )
  })
})

test('the outputs tell the ledger, the role to enroll by, and each secret to enroll', () => {
  const values = Object.values(template.findOutputs('*')).map(({ Value }) => Value)
  expect(values).toEqual([
    { Ref: expect.stringContaining('Ledger') },
    { 'Fn::GetAtt': [expect.stringContaining('EnrollRole'), 'Arn'] },
    'token-rotator/mdr-prod/enrollment',
    'token-rotator/ftd-hq/enrollment',
    'token-rotator/mdr-test/enrollment',
  ])
})

test('two syntheses of the same configuration are identical, assets included', () => {
  expect(Template.fromStack(rotatorStack()).toJSON()).toEqual(template.toJSON())
})

test('another configuration is another asset', () => {
  const [mdr, ftd, ...rest] = connections
  const changed = rotatorStack({
    connections: [
      { ...mdr, id: 'mdr-prod', vendor: 'kaspersky-mdr', clientId: 'other' },
      ftd,
      ...rest,
    ].filter((each) => each !== undefined),
  })
  const keys = (of: typeof stack) =>
    Object.fromEntries(
      Object.values(resourcesOf(of, 'AWS::Lambda::Function')).map(({ Properties }) => [
        Properties.Handler,
        Properties.Code.S3Key,
      ]),
    )
  expect(keys(changed)['kaspersky-mdr.handler']).not.toBe(keys(stack)['kaspersky-mdr.handler'])
  expect(keys(changed)['cisco-ftd.handler']).toBe(keys(stack)['cisco-ftd.handler'])
})

test('an unknown connection is not granted, and the known ones are named', () => {
  expect(() => stack.rotator.connection('ftd-hg')).toThrow(
    "connection: found 'ftd-hg'; allowed are mdr-prod, ftd-hq, mdr-test",
  )
})

test('consumers are named to the function, which tells of incidents, unless the list names readers', () => {
  const owner = new Stack(undefined, 'Owner', { env })
  const soc = 'arn:aws:iam::111122223333:role/Soc'
  const consumers = [
    Role.fromRoleArn(owner, 'Soc', soc),
    new Role(owner, 'Workload', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }),
    new AccountPrincipal('111122223333'),
    new ServicePrincipal('appflow.amazonaws.com'),
  ]
  const readersOf = (readers?: string[]) => {
    const told = rotatorStack({
      connections: connections
        .slice(1, 2)
        .map((each) => (readers === undefined ? each : { ...each, readers })),
      consumers: { 'ftd-hq': consumers },
    })
    const [lambda] = Object.values(resourcesOf(told, 'AWS::Lambda::Function'))
    const outdir = Stage.of(told)?.outdir ?? ''
    const folder = assetFolder(outdir, lambda?.Properties.Code.S3Key.replace('.zip', ''))
    const deployed = readFileSync(join(outdir, folder, 'connections.json'), 'utf8')
    return decodeConnections(JSON.parse(deployed), vendors).map((each) => each.readers)
  }
  expect(readersOf()).toEqual([
    [soc, 'Owner/Workload', 'account 111122223333', 'appflow.amazonaws.com'],
  ])
  expect(readersOf(['siem-forwarder'])).toEqual([['siem-forwarder']])
})

test('a bus that is given is the one that is told', () => {
  const owner = new Stack(undefined, 'Owner', {
    env: { account: '111122223333', region: 'eu-west-1' },
  })
  const eventBus = EventBus.fromEventBusName(owner, 'Security', 'security')
  const told = Template.fromStack(rotatorStack({ eventBus }))
  told.allResourcesProperties('AWS::Lambda::Function', {
    Environment: { Variables: { TOKEN_ROTATOR_EVENT_BUS: 'security' } },
  })
})

test('with a network given, every function runs in it, but for connections that say otherwise', () => {
  const inside = Template.fromStack(
    rotatorStack({
      vpc: vpc(),
      connections: connections.map((each) =>
        each.id === 'mdr-test' ? { ...each, network: 'internet' } : each,
      ),
    }),
  )
  const functions = Object.values(inside.findResources('AWS::Lambda::Function'))
  expect(
    functions.map(({ Properties }) => [Properties.Handler, Properties.VpcConfig?.SubnetIds]),
  ).toEqual([
    ['kaspersky-mdr.handler', ['subnet-0123456789abcdef0']],
    ['cisco-ftd.handler', ['subnet-0123456789abcdef0']],
    ['kaspersky-mdr.handler', undefined],
  ])
})

test('the stack takes a network and a topic that exist by their ids', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-west-1:111122223333:security'
  const subnetIds = ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1']
  const network = { vpcId: 'vpc-0123456789abcdef0', subnetIds }
  const importing = rotatorStack({ network, alarmTopicArn })
  Annotations.fromStack(importing).hasNoWarning('*', Match.anyValue())
  const existing = Template.fromStack(importing)
  existing.allResourcesProperties('AWS::Lambda::Function', { VpcConfig: { SubnetIds: subnetIds } })
  existing.allResourcesProperties('AWS::EC2::SecurityGroup', { VpcId: network.vpcId })
  existing.hasResourceProperties('AWS::CloudWatch::Alarm', { AlarmActions: [alarmTopicArn] })
})

test('a synthesis without mistakes is without warnings', () => {
  Annotations.fromStack(stack).hasNoWarning('*', Match.anyValue())
  Annotations.fromStack(stack).hasNoError('*', Match.anyValue())
})

test('a second rotator in one stack is refused: both would have one ledger', () => {
  const one = rotatorStack({ connections: connections.slice(0, 1) })
  expect(
    () => new TokenRotator(one, 'Other', { connections: connections.slice(2), assets }),
  ).toThrow('TokenRotator: found two; allowed is one in an account and region')
})

function assetFolder(outdir: string, hash: string): string {
  const manifest = JSON.parse(readFileSync(join(outdir, 'TokenRotator.assets.json'), 'utf8'))
  return manifest.files[hash].source.path
}
