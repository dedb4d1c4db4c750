import { Stack } from 'aws-cdk-lib'
import { AccountPrincipal, ArnPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { describe, expect, test } from 'vitest'
import { TokenRotator } from '../../lib/cdk/token-rotator.ts'
import { account, Deployed, type Principal } from './deployed.ts'
import { assets, connections, env, rotatorStack, testApp } from './synthesis.ts'

const elsewhere = 'arn:aws:iam::444455556666:role/Soc'
const escrowKeyArn = `arn:aws:kms:eu-west-1:${account}:key/00000000-0000-4000-8000-000000000002`

const stack = new Stack(testApp(), 'Scene', { env })
const key = new Key(stack, 'Key', { enableKeyRotation: true })
const person = (id: string) =>
  new Role(stack, id, { assumedBy: new AccountPrincipal(account), roleName: id })
const workload = new Role(stack, 'Workload', {
  assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
})
const breakGlass = person('BreakGlass')
const operator = person('Operator')
const rotator = new TokenRotator(stack, 'Rotator', {
  connections,
  assets,
  encryptionKey: key,
  escrowKey: Key.fromKeyArn(stack, 'EscrowKey', escrowKeyArn),
  breakGlassRole: breakGlass,
  consumers: { 'ftd-hq': [new ArnPrincipal(elsewhere)] },
})
rotator.connection('ftd-hq').grantRead(workload)
rotator.connection('ftd-hq').grantEnroll(operator)

const deployed = new Deployed(stack)
const all = [
  { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
]
const idOf = (type: string, path: RegExp) =>
  deployed.ids(type).find((id) => path.test(id)) ?? 'none'
const functionOf = (vendor: string) =>
  deployed.ids('AWS::Lambda::Function', ({ Handler }) => Handler === `${vendor}.handler`)[0] ?? ''
const roleOf = (vendor: string) =>
  deployed.roleOf(deployed.resources[functionOf(vendor)]?.Properties.Role)
const schedulerOf = (vendor: string) =>
  deployed.role(idOf('AWS::IAM::Role', new RegExp(`${vendor.replace('-', '')}ScheduleRole`)))

/** Everybody who might try. */
const principals = {
  'function of cisco-ftd': roleOf('cisco-ftd'),
  'function of kaspersky-mdr': roleOf('kaspersky-mdr'),
  'scheduler of cisco-ftd': schedulerOf('cisco-ftd'),
  'scheduler of kaspersky-mdr': schedulerOf('kaspersky-mdr'),
  'reader of ftd-hq': deployed.role(idOf('AWS::IAM::Role', /^Workload/)),
  'reader of ftd-hq elsewhere': { arn: elsewhere, policies: all },
  'stranger elsewhere': { arn: 'arn:aws:iam::444455556666:role/Other', policies: all },
  'operator of ftd-hq': deployed.role(idOf('AWS::IAM::Role', /^Operator/)),
  'enroll role': deployed.role(idOf('AWS::IAM::Role', /^RotatorEnrollRole/)),
  'break-glass role': {
    arn: deployed.arnOf(idOf('AWS::IAM::Role', /^BreakGlass/)),
    policies: all,
  },
  administrator: { arn: `arn:aws:iam::${account}:role/Administrator`, policies: all },
  'root user': { arn: `arn:aws:iam::${account}:root`, policies: all },
  CloudFormation: {
    arn: `arn:aws:iam::${account}:role/cdk-hnb659fds-cfn-exec-role-${account}-eu-west-1`,
    policies: all,
  },
} satisfies Record<string, Principal>

/** Whose own policies allow everything, and whom only a denial stops. */
const administrators = ['break-glass role', 'administrator', 'root user', 'CloudFormation']
const ordinary = Object.fromEntries(
  Object.entries(principals).filter(([who]) => !administrators.includes(who)),
)

/** Of some actions on a resource, those that each principal may do; who may do none is left out. */
async function table(
  actions: readonly string[],
  resource: string,
  context?: Readonly<Record<string, string | string[]>>,
  among: Readonly<Record<string, Principal>> = principals,
): Promise<Readonly<Record<string, string[]>>> {
  const rows: Record<string, string[]> = {}
  for (const [who, principal] of Object.entries(among)) {
    for (const action of actions) {
      if (!(await deployed.allows(principal, action, resource, context))) continue
      rows[who] = [...(rows[who] ?? []), action.split(':')[1] ?? '']
    }
  }
  return rows
}

const secret = (name: string) =>
  deployed.arn('AWS::SecretsManager::Secret', ({ Name }) => Name === `token-rotator/${name}`)
const parameter = (name: string) =>
  `arn:aws:ssm:eu-west-1:${account}:parameter/token-rotator/${name}`

const dueIndex = `${deployed.arn('AWS::DynamoDB::Table')}/index/due`

/** What mends a secret that nobody can use, and what no policy of a secret can keep from anybody. */
const repair = [
  'DescribeSecret',
  'DeleteSecret',
  'DeleteResourcePolicy',
  'PutResourcePolicy',
  'CancelRotateSecret',
  'ReplicateSecretToRegions',
]

describe('an enrollment secret', () => {
  const actions = ['GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage']
  const every = [...actions, 'UpdateSecret', 'RotateSecret', ...repair]
  const secretActions = every.map((action) => `secretsmanager:${action}`)
  const administration = {
    'break-glass role': every,
    administrator: repair,
    'root user': repair,
    CloudFormation: ['UpdateSecret', ...repair],
  }

  test('is read by its own function and the break-glass role alone, and written by those who enroll', async () => {
    expect(await table(secretActions, secret('ftd-hq/enrollment'))).toEqual({
      'function of cisco-ftd': [...actions, 'DescribeSecret'],
      'operator of ftd-hq': ['PutSecretValue'],
      'enroll role': ['PutSecretValue'],
      ...administration,
    })
  })

  test('of another connection is nothing to the operators and readers of this one', async () => {
    expect(await table(secretActions, secret('mdr-prod/enrollment'))).toEqual({
      'function of kaspersky-mdr': [...actions, 'DescribeSecret'],
      'enroll role': ['PutSecretValue'],
      ...administration,
    })
  })

  test('is updated by a deployment that passes its own permissions on, and by no other call', async () => {
    const { administrator } = principals
    const update = (context?: Record<string, string[]>) =>
      deployed.allows(
        administrator,
        'secretsmanager:UpdateSecret',
        secret('ftd-hq/enrollment'),
        context,
      )
    expect(await update({ 'aws:CalledVia': ['cloudformation.amazonaws.com'] })).toBe(true)
    expect(await update({ 'aws:CalledVia': ['athena.amazonaws.com'] })).toBe(false)
    expect(await update()).toBe(false)
  })
})

describe('an enrollment secret without a break-glass role', () => {
  const plain = rotatorStack()
  const operating = new Role(plain, 'Operating', { assumedBy: new AccountPrincipal(account) })
  plain.rotator.connection('mdr-prod').grantEnroll(operating)
  const deployedPlain = new Deployed(plain)
  const changes = ['PutSecretValue', 'UpdateSecretVersionStage', 'UpdateSecret', 'RotateSecret']
  const mayDo = async (who: Principal, connection: string, all = changes) => {
    const arn = deployedPlain.arn(
      'AWS::SecretsManager::Secret',
      ({ Name }) => Name === `token-rotator/${connection}/enrollment`,
    )
    const done: string[] = []
    for (const action of all) {
      if (await deployedPlain.allows(who, `secretsmanager:${action}`, arn)) done.push(action)
    }
    return done
  }
  const roleIn = (path: RegExp) =>
    deployedPlain.role(deployedPlain.ids('AWS::IAM::Role').find((id) => path.test(id)) ?? 'none')

  test.each([
    ['administrator', []],
    ['root user', []],
    ['CloudFormation', ['UpdateSecret']],
  ] as const)('is not read, written, moved or rotated by the %s', async (who, may) => {
    for (const connection of ['mdr-prod', 'ftd-hq']) {
      const all = ['GetSecretValue', ...changes]
      expect(await mayDo(principals[who], connection, all)).toEqual(may)
    }
  })

  test('is written by its function, by the enroll role, and by operators of its own', async () => {
    const [id = ''] = deployedPlain.ids(
      'AWS::Lambda::Function',
      ({ Handler }) => Handler === 'kaspersky-mdr.handler',
    )
    const rotating = deployedPlain.roleOf(deployedPlain.resources[id]?.Properties.Role)
    for (const [who, there, elsewhere] of [
      [rotating, changes.slice(0, 2), changes.slice(0, 2)],
      [roleIn(/EnrollRole/), ['PutSecretValue'], ['PutSecretValue']],
      [roleIn(/^Operating/), ['PutSecretValue'], []],
    ] as const) {
      expect(await mayDo(who, 'mdr-prod')).toEqual(there)
      expect(await mayDo(who, 'mdr-test')).toEqual(elsewhere)
    }
  })
})

describe('the enroll role', () => {
  const enrollRole = principals['enroll role']
  const assume = ['sts:AssumeRole']

  test('is taken by those of the account whose own policies allow it, and by nobody elsewhere', async () => {
    const allowed = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: enrollRole.arn }],
    }
    const person = (of: string, policies: Principal['policies']) => ({
      arn: `arn:aws:iam::${of}:role/Person`,
      policies,
    })
    expect(
      await table(
        assume,
        enrollRole.arn,
        {},
        {
          'allowed it': person(account, [allowed]),
          'allowed nothing': person(account, []),
          'another account': person('444455556666', all),
          ...ordinary,
        },
      ),
    ).toEqual({ 'allowed it': ['AssumeRole'] })
  })

  test('lasts an hour at most', () => {
    const [role] = Object.values(deployed.resources).filter(
      ({ Type, Properties }) =>
        Type === 'AWS::IAM::Role' && Properties.Description?.startsWith('Enrolls credentials'),
    )
    expect(role?.Properties.MaxSessionDuration).toBe(3600)
  })

  test('may nothing at all with a consumer secret, a parameter that is read, or a function', async () => {
    const own = { 'enroll role': enrollRole }
    for (const [service, resource] of [
      ['secretsmanager', secret('ftd-hq/access-token')],
      ['ssm', parameter('ftd-hq/access-token')],
      ['lambda', deployed.arnOf(functionOf('cisco-ftd'))],
    ] as const) {
      const verbs = {
        secretsmanager: ['GetSecretValue', 'PutSecretValue', 'DescribeSecret', 'UpdateSecret'],
        ssm: ['GetParameter', 'PutParameter', 'DeleteParameter'],
        lambda: ['InvokeFunction', 'GetFunction'],
      }[service]
      expect(
        await table(
          verbs.map((verb) => `${service}:${verb}`),
          resource,
          {},
          own,
        ),
      ).toEqual({})
    }
  })
})

describe('a consumer secret', () => {
  const actions = ['GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage', 'UpdateSecret']
  const rotated = ['RotateSecret', ...repair]
  const every = [...actions, ...rotated]
  const secretActions = every.map((action) => `secretsmanager:${action}`)
  const administration = {
    'break-glass role': every,
    administrator: ['GetSecretValue', ...rotated],
    'root user': ['GetSecretValue', ...rotated],
    CloudFormation: ['GetSecretValue', 'UpdateSecret', ...rotated],
  }

  test('is read by whom it is granted to, and read and written by its own function', async () => {
    expect(await table(secretActions, secret('ftd-hq/access-token'))).toEqual({
      'function of cisco-ftd': [...actions.slice(0, 3), 'DescribeSecret'],
      'reader of ftd-hq': ['GetSecretValue', 'DescribeSecret'],
      'reader of ftd-hq elsewhere': ['GetSecretValue', 'DescribeSecret'],
      ...administration,
    })
  })

  test('of another connection is nothing to them', async () => {
    expect(await table(secretActions, secret('mdr-prod/access-token'))).toEqual({
      'function of kaspersky-mdr': [...actions.slice(0, 3), 'DescribeSecret'],
      ...administration,
    })
  })

  test('whose name only begins alike is nothing to anybody but administrators', async () => {
    for (const name of [
      'ftd-hq/access-token-copy',
      'ftd-hq-2/access-token',
      'ftd-hq/enrollment-2',
    ]) {
      const other = `arn:aws:secretsmanager:eu-west-1:${account}:secret:token-rotator/${name}-AbCdEf`
      expect(Object.keys(await table(secretActions, other))).toEqual(administrators)
    }
  })
})

describe('the key of the secrets', () => {
  const keyActions = ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:Encrypt']
  const through = (service: string, arn: string) => ({
    'kms:ViaService': `${service}.eu-west-1.amazonaws.com`,
    'kms:EncryptionContext:SecretARN': arn,
  })
  const uses = (context: Readonly<Record<string, string>>) =>
    table(keyActions, deployed.arn('AWS::KMS::Key'), context, ordinary)

  test('opens an enrollment secret to its own function, and to those who enroll, who write it', async () => {
    expect(await uses(through('secretsmanager', secret('ftd-hq/enrollment')))).toEqual({
      'function of cisco-ftd': ['Decrypt', 'GenerateDataKey'],
      'operator of ftd-hq': ['Decrypt', 'GenerateDataKey'],
      'enroll role': ['Decrypt', 'GenerateDataKey'],
    })
    expect(await uses(through('secretsmanager', secret('mdr-prod/enrollment')))).toEqual({
      'function of kaspersky-mdr': ['Decrypt', 'GenerateDataKey'],
      'enroll role': ['Decrypt', 'GenerateDataKey'],
    })
  })

  test('opens a consumer secret to its readers, wherever they are', async () => {
    expect(await uses(through('secretsmanager', secret('ftd-hq/access-token')))).toEqual({
      'function of cisco-ftd': ['Decrypt', 'GenerateDataKey'],
      'reader of ftd-hq': ['Decrypt'],
      'reader of ftd-hq elsewhere': ['Decrypt'],
    })
  })

  test('opens nothing to a direct call, nor through another service, nor for another secret', async () => {
    expect(await uses({})).toEqual({})
    expect(await uses(through('s3', secret('ftd-hq/enrollment')))).toEqual({})
    const other = `arn:aws:secretsmanager:eu-west-1:${account}:secret:other-AbCdEf`
    expect(await uses(through('secretsmanager', other))).toEqual({})
  })
})

describe('the escrow and the mirror', () => {
  const actions = ['GetParameter', 'PutParameter', 'DeleteParameter', 'GetParameterHistory']
  const calls = actions.map((action) => `ssm:${action}`)
  const uses = (actionsOf: string[], arn: string, context?: Record<string, string>) =>
    table(actionsOf, arn, context, ordinary)

  test('are read, written and removed by their own function, the mirror written alone', async () => {
    expect(await uses(calls, parameter('ftd-hq/escrow'))).toEqual({
      'function of cisco-ftd': actions.slice(0, 3),
      'operator of ftd-hq': ['DeleteParameter'],
      'enroll role': ['DeleteParameter'],
    })
    expect(await uses(calls, parameter('ftd-hq/access-token'))).toEqual({
      'function of cisco-ftd': ['PutParameter'],
    })
    expect(await uses(calls, parameter('mdr-test/escrow'))).toEqual({
      'function of kaspersky-mdr': actions.slice(0, 3),
      'enroll role': ['DeleteParameter'],
    })
    expect(await uses(calls, parameter('ftd-hq-2/escrow'))).toEqual({})
  })

  test('have a key that is used through Parameter Store for them alone', async () => {
    const keyCalls = ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey']
    const through = (service: string, name: string) => ({
      'kms:ViaService': `${service}.eu-west-1.amazonaws.com`,
      'kms:EncryptionContext:PARAMETER_ARN': parameter(name),
    })
    expect(await uses(keyCalls, escrowKeyArn, through('ssm', 'ftd-hq/escrow'))).toEqual({
      'function of cisco-ftd': ['Decrypt', 'Encrypt', 'GenerateDataKey'],
    })
    expect(await uses(keyCalls, escrowKeyArn, through('ssm', 'other/escrow'))).toEqual({})
    expect(await uses(keyCalls, escrowKeyArn, through('s3', 'ftd-hq/escrow'))).toEqual({})
  })
})

describe('the ledger', () => {
  const actions = ['GetItem', 'PutItem', 'Query', 'Scan', 'DeleteItem', 'UpdateItem']
  const calls = [...actions, 'BatchWriteItem'].map((action) => `dynamodb:${action}`)
  const uses = (arn: string, context?: Record<string, string[]>) =>
    table(calls, arn, context, ordinary)
  const of = (...vendors: string[]) => ({ 'dynamodb:LeadingKeys': vendors })

  test('is read and written by each function, and each operator, for its own vendor', async () => {
    const ledger = deployed.arn('AWS::DynamoDB::Table')
    expect(await uses(ledger, of('cisco-ftd'))).toEqual({
      'function of cisco-ftd': ['GetItem', 'PutItem', 'Query'],
      'operator of ftd-hq': ['GetItem', 'PutItem'],
      'enroll role': ['GetItem', 'PutItem'],
    })
    expect(await uses(ledger, of('kaspersky-mdr'))).toEqual({
      'function of kaspersky-mdr': ['GetItem', 'PutItem', 'Query'],
      'enroll role': ['GetItem', 'PutItem'],
    })
    expect(await uses(ledger, of('code42-incydr'))).toEqual({})
    expect(await uses(dueIndex, of('cisco-ftd'))).toEqual({ 'function of cisco-ftd': ['Query'] })
  })

  test('is not read without saying whose items, nor for two vendors at once', async () => {
    for (const arn of [deployed.arn('AWS::DynamoDB::Table'), dueIndex]) {
      expect(await uses(arn)).toEqual({})
      expect(await uses(arn, of('cisco-ftd', 'kaspersky-mdr'))).toEqual({})
    }
  })
})

describe('a function', () => {
  const invocations = ['lambda:InvokeFunction', 'lambda:UpdateFunctionCode']

  test.each(['cisco-ftd', 'kaspersky-mdr'] as const)(
    'of %s is invoked by its own schedule and no other role',
    async (vendor) => {
      const arn = deployed.arnOf(functionOf(vendor))
      expect(await table(invocations, arn, {}, ordinary)).toEqual({
        [`scheduler of ${vendor}`]: ['InvokeFunction'],
      })
    },
  )

  test.each(['cisco-ftd', 'kaspersky-mdr'] as const)(
    'of %s is invoked by a role that Scheduler may take for this group of schedules alone',
    (vendor) => {
      const role = idOf('AWS::IAM::Role', new RegExp(`${vendor.replace('-', '')}ScheduleRole`))
      expect(
        deployed.resolve(deployed.resources[role]?.Properties.AssumeRolePolicyDocument),
      ).toEqual({
        Version: '2012-10-17',
        Statement: [
          {
            Action: 'sts:AssumeRole',
            Effect: 'Allow',
            Principal: { Service: 'scheduler.amazonaws.com' },
            Condition: {
              StringEquals: {
                'aws:SourceAccount': account,
                'aws:SourceArn': deployed.arn('AWS::Scheduler::ScheduleGroup'),
              },
            },
          },
        ],
      })
    },
  )

  test("sends its dead ticks and its schedule's to the queue, over TLS, and reads none back", async () => {
    const queue = deployed.arn('AWS::SQS::Queue')
    const calls = ['sqs:SendMessage', 'sqs:ReceiveMessage', 'sqs:PurgeQueue']
    expect(await table(calls, queue, {}, ordinary)).toEqual({
      'function of cisco-ftd': ['SendMessage'],
      'function of kaspersky-mdr': ['SendMessage'],
      'scheduler of cisco-ftd': ['SendMessage'],
      'scheduler of kaspersky-mdr': ['SendMessage'],
    })
    expect(await table(calls, queue, { 'aws:SecureTransport': 'false' })).toEqual({})
  })

  test('writes to its own log and its own bus, and to no other', async () => {
    const bus = `arn:aws:events:eu-west-1:${account}:event-bus`
    const writes = async (action: string, arn: string) =>
      Object.keys(await table([action], arn)).filter((who) => who.startsWith('function'))
    expect(await writes('events:PutEvents', `${bus}/default`)).toHaveLength(2)
    expect(await writes('events:PutEvents', `${bus}/other`)).toEqual([])
    const log = idOf('AWS::Logs::LogGroup', /ciscoftd/)
    expect(
      await writes('logs:PutLogEvents', deployed.arnOf(log).replace('*', 'log-stream:x')),
    ).toEqual(['function of cisco-ftd'])
  })
})
