import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stack, Stage } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../lib/aws/environment.ts'
import { TokenRotator } from '../../lib/cdk/token-rotator.ts'
import { decodeConnections } from '../../lib/core/decode-connections.ts'
import { dueIndex as queriedIndex } from '../../lib/core/documents.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { assets, connections, resourcesOf, rotatorStack } from './synthesis.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { vpc } from './vpc.ts'

const stack = rotatorStack()
const template = Template.fromStack(stack)
const functions = resourcesOf(stack, 'AWS::Lambda::Function')

describe('the secrets', () => {
  const secrets = Object.values(resourcesOf(stack, 'AWS::SecretsManager::Secret'))

  test('are two for each connection, by the names that the engine uses', () => {
    expect(secrets.map(({ Properties }) => Properties.Name).sort()).toEqual([
      'token-rotator/ftd-hq/access-token',
      'token-rotator/ftd-hq/enrollment',
      'token-rotator/mdr-prod/access-token',
      'token-rotator/mdr-prod/enrollment',
      'token-rotator/mdr-test/access-token',
      'token-rotator/mdr-test/enrollment',
    ])
  })

  test('have no value, neither given nor made up', () => {
    for (const { Properties } of secrets) {
      expect(Object.keys(Properties).sort()).toEqual(['Description', 'Name', 'Tags'])
    }
  })

  test('outlive the stack, and a replacement', () => {
    for (const { DeletionPolicy, UpdateReplacePolicy } of secrets) {
      expect([DeletionPolicy, UpdateReplacePolicy]).toEqual(['Retain', 'Retain'])
    }
  })

  test('say by tag whose they are', () => {
    template.hasResourceProperties('AWS::SecretsManager::Secret', {
      Name: 'token-rotator/ftd-hq/enrollment',
      Tags: [
        { Key: 'token-rotator:connection', Value: 'ftd-hq' },
        { Key: 'token-rotator:vendor', Value: 'cisco-ftd' },
      ],
    })
  })

  test('stay as they are when a connection is configured otherwise, and when others come and go', () => {
    const changed = rotatorStack({
      connections: [
        { id: 'aa-new', vendor: 'cisco-ftd', url: 'https://192.0.2.77' },
        {
          id: 'ftd-hq',
          vendor: 'cisco-ftd',
          url: 'https://192.0.2.99',
          customToken: {},
          renew: { everySeconds: 900 },
        },
      ],
    })
    const before = resourcesOf(stack, 'AWS::SecretsManager::Secret')
    const kept = Object.entries(resourcesOf(changed, 'AWS::SecretsManager::Secret')).filter(
      ([, { Properties }]) => Properties.Name.includes('ftd-hq'),
    )
    expect(kept).toHaveLength(2)
    for (const [id, resource] of kept) expect(resource).toEqual(before[id])
  })
})

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

  test('keep their logs for a month', () => {
    template.resourceCountIs('AWS::Logs::LogGroup', 2)
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 })
    template.allResourcesProperties('AWS::Lambda::Function', {
      LoggingConfig: { LogGroup: { Ref: Match.anyValue() } },
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
    Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 } },
  })
})

test('the outputs tell the ledger and each secret to enroll', () => {
  const values = Object.values(template.findOutputs('*')).map(({ Value }) => Value)
  expect(values).toEqual([
    { Ref: expect.stringContaining('Ledger') },
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

test('a workload is granted to read the access token of a connection, and nothing to write', () => {
  const granting = rotatorStack()
  const workload = new Role(granting, 'Workload', {
    assumedBy: new AccountPrincipal('111122223333'),
  })
  granting.rotator.connection('ftd-hq').grantRead(workload)
  Template.fromStack(granting).hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        {
          Action: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
          Effect: 'Allow',
          Resource: { Ref: Match.stringLikeRegexp('ftdhqAccessToken') },
        },
      ],
    },
    Roles: [{ Ref: Match.stringLikeRegexp('^Workload') }],
  })
})

test('an unknown connection is not granted, and the known ones are named', () => {
  expect(() => stack.rotator.connection('ftd-hg')).toThrow(
    "connection: found 'ftd-hg'; allowed are mdr-prod, ftd-hq, mdr-test",
  )
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

test('a synthesis without mistakes is without warnings', () => {
  Annotations.fromStack(stack).hasNoWarning('*', Match.anyValue())
  Annotations.fromStack(stack).hasNoError('*', Match.anyValue())
})

describe('a mistake in the configuration', () => {
  const mdr = { id: 'mdr-prod', vendor: 'kaspersky-mdr' }
  const ftd = { id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }

  test.each([
    [
      'an unknown vendor',
      [mdr, { ...ftd, vendor: 'cisco-asa' }],
      /^connections\[1\]\.vendor: found 'cisco-asa'; allowed are kaspersky-mdr, cisco-ftd/,
    ],
    [
      'an id that stands twice',
      [mdr, mdr],
      /^connections: id 'mdr-prod' stands twice; allowed is one/,
    ],
    [
      'an unknown option',
      [{ ...ftd, verifyTls: false }],
      /^connections\[0\]\.verifyTls: is not an option of this vendor/,
    ],
    [
      'an address without TLS',
      [{ ...ftd, url: 'http://192.0.2.10' }],
      /^connections\[0\]\.url: found "http:\/\/192\.0\.2\.10"; allowed is an https URL/,
    ],
    [
      'a renewal more often than every ten minutes',
      [{ ...ftd, renew: { everySeconds: 599 } }],
      /^connections\[0\]\.renew\.everySeconds: found 599; allowed is 600 or more/,
    ],
    [
      'a renewal that the versions kept do not allow',
      [mdr, { ...ftd, renew: { everySeconds: 600 } }],
      /^connections\[1\]\.renew\.everySeconds: found 600; allowed for cisco-ftd is 864 or more: this is 144 versions a day \(86400 \/ 600\)/,
    ],
    [
      'a token too short-lived for its renewals',
      [{ ...ftd, customToken: { desiredExpiresIn: 900, desiredRefreshExpiresIn: 1800 } }],
      /^connections\[0\]: found access tokens of 900 s, renewed every 600 s at the earliest; allowed for cisco-ftd is tokens of 1365 s or more/,
    ],
  ])('is refused in one line: %s', (_what, mistaken, message) => {
    const synthesis = () => rotatorStack({ connections: mistaken })
    expect(synthesis).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }))
    expect(synthesis).toThrow(message)
    expect(synthesis).not.toThrow(/\n/)
  })

  test('is refused without repeating it where it is a credential', () => {
    const synthesis = () => rotatorStack({ connections: [{ ...ftd, password: 'canary-4711' }] })
    expect(synthesis).toThrow(
      /^connections\[0\]\.password: is a credential; .* run token-rotator enroll$/,
    )
    expect(synthesis).not.toThrow(/canary/)
  })
})

test('the construct can be used twice in one stack', () => {
  const twice = rotatorStack({ connections: connections.slice(0, 1) })
  new TokenRotator(twice, 'Other', { connections: connections.slice(2), assets })
  Template.fromStack(twice).resourceCountIs('AWS::Lambda::Function', 2)
})

function assetFolder(outdir: string, hash: string): string {
  const manifest = JSON.parse(readFileSync(join(outdir, 'TokenRotator.assets.json'), 'utf8'))
  return manifest.files[hash].source.path
}
