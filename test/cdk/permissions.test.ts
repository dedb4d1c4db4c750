import { readdirSync, readFileSync } from 'node:fs'
import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { connections, type Resource, rotatorStack } from './synthesis.ts'

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const stack = rotatorStack()
const resources = Template.fromStack(stack).toJSON().Resources as Record<string, Resource>
const account = 'eu-west-1:111122223333'
const secret = (name: string) =>
  `arn:aws:secretsmanager:${account}:secret:token-rotator/${name}-AbCdEf`
const parameter = (name: string) => `arn:aws:ssm:${account}:parameter/token-rotator/${name}`
const table = `arn:aws:dynamodb:${account}:table/Ledger`

/** A template's value as the deployed stack would have it. */
function resolve(value: unknown): string {
  if (typeof value === 'string') return value
  const [[call, argument] = []] = Object.entries(value as Record<string, unknown>)
  if (call === 'Fn::Join') {
    const [glue, parts] = argument as [string, unknown[]]
    return parts.map(resolve).join(glue)
  }
  if (argument === 'AWS::Partition') return 'aws'
  const [id] = [argument].flat() as string[]
  const { Type, Properties } = resources[id ?? ''] ?? {}
  switch (Type) {
    case 'AWS::SecretsManager::Secret':
      return secret(Properties.Name.replace('token-rotator/', ''))
    case 'AWS::DynamoDB::Table':
      return table
    case 'AWS::Logs::LogGroup':
      return `arn:aws:logs:${account}:log-group:${id}:*`
    case 'AWS::Lambda::Function':
      return `arn:aws:lambda:${account}:function:${id}`
    default:
      throw new Error(`not resolved: ${JSON.stringify(value)}`)
  }
}

/** Every statement that is attached to the role of a vendor's function. */
function statementsOf(vendor: string): Statement[] {
  const { Properties: lambda } = Object.values(resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::Function' && Properties.Handler === `${vendor}.handler`,
  ) as Resource
  const [role] = lambda.Role['Fn::GetAtt']
  expect(resources[role]?.Properties.ManagedPolicyArns).toBeUndefined()
  expect(resources[role]?.Properties.Policies).toBeUndefined()
  return Object.values(resources)
    .filter(
      ({ Type, Properties }) =>
        /^AWS::IAM::(Managed)?Policy$/.test(Type) &&
        Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role),
    )
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
}

const roles = Object.fromEntries(
  ['kaspersky-mdr', 'cisco-ftd'].map((vendor) => [vendor, statementsOf(vendor)]),
)

/** Whether some statement allows the call; the conditions on partition keys are evaluated as IAM does. */
function allows(vendor: string, action: string, resource: string, leadingKeys?: string[]): boolean {
  return (roles[vendor] ?? []).some(
    ({ Action, Resource: of, Condition = {} }) =>
      [Action].flat().some((pattern) => matches(pattern, action)) &&
      [of].flat().some((pattern) => matches(resolve(pattern), resource)) &&
      Object.entries(Condition).every(([operator, keys]) => {
        const [[key, expected] = []] = Object.entries(keys)
        expect(key).toBe('dynamodb:LeadingKeys')
        if (operator === 'Null') return (leadingKeys === undefined) === (expected === 'true')
        expect(operator).toBe('ForAllValues:StringEquals')
        return (leadingKeys ?? []).every((value) => (expected as string[]).includes(value))
      }),
  )
}

function matches(pattern: string, text: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\/]/g, '\\$&')
  return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text)
}

const secretActions = [
  'GetSecretValue',
  'PutSecretValue',
  'UpdateSecretVersionStage',
  'DescribeSecret',
  'DeleteSecret',
  'UpdateSecret',
  'PutResourcePolicy',
].map((action) => `secretsmanager:${action}`)
const parameterActions = [
  'GetParameter',
  'PutParameter',
  'DeleteParameter',
  'AddTagsToResource',
].map((action) => `ssm:${action}`)

describe.each(connections)('of $id', ({ id, vendor }) => {
  const other = vendor === 'cisco-ftd' ? 'kaspersky-mdr' : 'cisco-ftd'
  const allowed = (by: string, actions: readonly string[], resource: string) =>
    actions.filter((action) => allows(by, action, resource))

  test('the enrollment secret is read, written and promoted by its own vendor', () => {
    expect(allowed(vendor, secretActions, secret(`${id}/enrollment`))).toEqual(
      secretActions.slice(0, 4),
    )
  })

  test('the access token is written, promoted and tested by its own vendor', () => {
    expect(allowed(vendor, secretActions, secret(`${id}/access-token`))).toEqual(
      secretActions.slice(0, 4),
    )
  })

  test('the escrow is read, written and removed by its own vendor, the mirror written', () => {
    expect(allowed(vendor, parameterActions, parameter(`${id}/escrow`))).toEqual(
      parameterActions.slice(0, 3),
    )
    expect(allowed(vendor, parameterActions, parameter(`${id}/access-token`))).toEqual([
      'ssm:PutParameter',
    ])
  })

  test('no other vendor may touch a secret or a parameter', () => {
    for (const name of [`${id}/enrollment`, `${id}/access-token`, `${id}/escrow`]) {
      expect(allowed(other, secretActions, secret(name))).toEqual([])
      expect(allowed(other, parameterActions, parameter(name))).toEqual([])
    }
  })

  test('a connection whose name only begins alike is not touched', () => {
    expect(allowed(vendor, secretActions, secret(`${id}/enrollment-copy`))).toEqual([])
    expect(allowed(vendor, secretActions, secret(`${id}-2/enrollment`))).toEqual([])
    expect(allowed(vendor, parameterActions, parameter(`${id}-2/escrow`))).toEqual([])
  })
})

describe.each([
  ['kaspersky-mdr', 'cisco-ftd'],
  ['cisco-ftd', 'kaspersky-mdr'],
])('the function of %s', (vendor, other) => {
  const index = `${table}/index/due`

  test('reads and writes the items of its own vendor in the ledger', () => {
    expect(allows(vendor, 'dynamodb:GetItem', table, [vendor])).toBe(true)
    expect(allows(vendor, 'dynamodb:PutItem', table, [vendor])).toBe(true)
    expect(allows(vendor, 'dynamodb:Query', index, [vendor])).toBe(true)
  })

  test.each(['GetItem', 'PutItem', 'Query', 'Scan', 'DeleteItem', 'UpdateItem', 'BatchWriteItem'])(
    `cannot %s an item of ${other}, nor without saying whose`,
    (action) => {
      for (const resource of [table, index]) {
        for (const keys of [[other], [vendor, other], undefined]) {
          expect(allows(vendor, `dynamodb:${action}`, resource, keys)).toBe(false)
        }
      }
    },
  )

  test('may make every AWS call that the adapters make, and no other', () => {
    const called = readdirSync('lib/aws').flatMap((file) =>
      [...readFileSync(`lib/aws/${file}`, 'utf8').matchAll(/new (\w+)Command\(/g)].map(
        ([, name]) => name,
      ),
    )
    const permitted = (roles[vendor] ?? [])
      .flatMap(({ Action }) => Action)
      .filter((action) => !action.startsWith('logs:'))
      .map((action) => action.split(':')[1])
    expect([...new Set(permitted)].sort()).toEqual([...new Set(called)].sort())
  })

  test('is given no pattern of resources', () => {
    for (const { Resource: of } of roles[vendor] ?? []) {
      expect(JSON.stringify(of)).not.toMatch(/[*?]/)
    }
  })

  test('writes to its own log and to no other', () => {
    const log = (roles[vendor] ?? []).filter(({ Action }) =>
      [Action].flat().some((action) => action.startsWith('logs:')),
    )
    expect(log).toHaveLength(1)
    expect(log[0]?.Action).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents'])
    expect(resolve(log[0]?.Resource)).toContain(vendor.replace('-', ''))
  })
})

test('no statement of any role names every resource or a pattern of actions', () => {
  const statements = Object.values(resources)
    .filter(({ Type }) => Type.startsWith('AWS::IAM::') && Type.endsWith('Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
  expect(statements.length).toBeGreaterThan(0)
  for (const { Effect, Action, Resource: of } of statements) {
    expect(Effect).toBe('Allow')
    expect([of].flat()).not.toContain('*')
    expect([Action].flat().filter((action) => action.includes('*'))).toEqual([])
  }
})

test('each schedule may invoke its own function and nothing else', () => {
  const schedules = Object.values(resources).filter(
    ({ Type }) => Type === 'AWS::Scheduler::Schedule',
  )
  for (const { Properties } of schedules) {
    const [role] = Properties.Target.RoleArn['Fn::GetAtt']
    const [lambda] = Properties.Target.Arn['Fn::GetAtt']
    const own = Object.values(resources)
      .filter(
        ({ Type, Properties: policy }) =>
          Type === 'AWS::IAM::Policy' && policy.Roles[0].Ref === role,
      )
      .flatMap(({ Properties: policy }) => policy.PolicyDocument.Statement as Statement[])
    expect(own.map(({ Action }) => Action)).toEqual(['lambda:InvokeFunction'])
    for (const resource of [own[0]?.Resource].flat()) {
      expect(resolve(resource)).toMatch(new RegExp(`:function:${lambda}(:\\*)?$`))
    }
  }
})

test('the policies of a hundred connections fit the sizes that IAM allows', () => {
  const many = rotatorStack({
    connections: Array.from({ length: 100 }, (_, index) => ({
      id: `mdr-with-a-rather-long-name-of-a-customer-${index}`,
      vendor: 'kaspersky-mdr',
    })),
  })
  const template = Template.fromStack(many)
  const characters = (policy: Resource) => JSON.stringify(policy.Properties.PolicyDocument).length
  const managed = Object.values(template.findResources('AWS::IAM::ManagedPolicy'))
  expect(managed.length).toBeGreaterThan(0)
  expect(managed.length).toBeLessThanOrEqual(10)
  expect(managed.map(characters).filter((length) => length > 6144)).toEqual([])
}, 30_000)
