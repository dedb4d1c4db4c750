import { readdirSync, readFileSync } from 'node:fs'
import { Stack } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { Key } from 'aws-cdk-lib/aws-kms'
import { describe, expect, test } from 'vitest'
import { Deployed } from './deployed.ts'
import { connections, env, rotatorStack } from './synthesis.ts'
import { vpc } from './vpc.ts'

/** What a role may do, as a template says it. */
interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
}

const actionsOf = ({ Action }: Statement) => [Action].flat()
const resourcesOf = ({ Resource: of }: Statement) => [of].flat()

/** Every statement of every role. */
function statements(deployed: Deployed): Statement[] {
  return deployed.ids('AWS::IAM::Role').flatMap((id) => statementsOf(deployed, id))
}

function statementsOf(deployed: Deployed, role: string): Statement[] {
  return deployed
    .role(role)
    .policies.flatMap(({ Statement: of }) => of as unknown as readonly Statement[])
}

const owner = new Stack(undefined, 'Keys', { env })
const key = (n: number) =>
  Key.fromKeyArn(
    owner,
    `Key${n}`,
    `arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-00000000000${n}`,
  )

const deployed = new Deployed(rotatorStack())

describe.each(['kaspersky-mdr', 'cisco-ftd'])('the function of %s', (vendor) => {
  test('may make every AWS call that the adapters make, and report what failed, and no more', () => {
    const called = readdirSync('lib/aws').flatMap((file) =>
      [...readFileSync(`lib/aws/${file}`, 'utf8').matchAll(/new (\w+)Command\(/g)].map(
        ([, name]) => name,
      ),
    )
    const [id = ''] = deployed.ids(
      'AWS::Lambda::Function',
      ({ Handler }) => Handler === `${vendor}.handler`,
    )
    const role = deployed.resources[id]?.Properties.Role['Fn::GetAtt'][0]
    const permitted = statementsOf(deployed, role)
      .flatMap(actionsOf)
      .filter((action) => !action.startsWith('logs:'))
      .map((action) => action.split(':')[1])
    expect([...new Set(permitted)].sort()).toEqual([...new Set([...called, 'SendMessage'])].sort())
  })
})

test('no statement of any role names every resource, or a pattern of resources or actions', () => {
  const all = statements(deployed)
  expect(all.length).toBeGreaterThan(10)
  for (const statement of all) {
    expect(statement.Effect).toBe('Allow')
    // The streams of a function's own log group have no names beforehand.
    const patterns = resourcesOf(statement).filter((of) => /[*?]/.test(of))
    expect(patterns.filter((of) => !/^arn:aws:logs:.*:log-group:[^*]+:\*$/.test(of))).toEqual([])
    expect(actionsOf(statement).filter((action) => action.includes('*'))).toEqual([])
  }
})

test('in a network, and traced, a role names every resource for just the calls that know none', () => {
  const inside = new Deployed(rotatorStack({ vpc: vpc(), tracing: true }))
  const anywhere = statements(inside).filter(
    (statement) => statement.Effect === 'Allow' && resourcesOf(statement).includes('*'),
  )
  expect(anywhere.map(actionsOf)).toEqual(
    Array(2).fill([
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'xray:PutTelemetryRecords',
      'xray:PutTraceSegments',
    ]),
  )
})

test('the code of a function in a network may not use what Lambda needs to put it there', async () => {
  const inside = new Deployed(rotatorStack({ vpc: vpc(), connections: connections.slice(1, 2) }))
  const [id = ''] = inside.ids('AWS::Lambda::Function')
  const role = inside.roleOf(inside.resources[id]?.Properties.Role)
  const subnet = 'arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-0123456789abcdef0'
  const may = (context?: Record<string, string>) =>
    inside.allows(role, 'ec2:CreateNetworkInterface', subnet, context)
  expect(await may()).toBe(true)
  expect(await may({ 'lambda:SourceFunctionArn': inside.arnOf(id) })).toBe(false)
})

test.each([
  [90, "AWS's own keys", {}],
  [50, 'two keys of a customer', { encryptionKey: key(1), escrowKey: key(2) }],
  [75, 'the watch of two regions', { regions: ['eu-west-1', 'eu-central-1'] }],
])('the policies of %d connections under %s fit the sizes that IAM allows', (length, _, props) => {
  const many = rotatorStack({
    connections: Array.from({ length }, (_each, index) => ({
      id: `mdr-with-a-rather-long-name-of-a-customer-${index}`,
      vendor: 'kaspersky-mdr',
    })),
    ...props,
  })
  const all = new Deployed(many)
  const sizesOf = (type: string, role: string) =>
    all
      .ids(type, ({ Roles }) => Roles.some(({ Ref }: { Ref: string }) => Ref === role))
      .map((id) => all.resolve(all.resources[id]?.Properties.PolicyDocument))
      .map((document) => JSON.stringify(document).length)
  const large = all.ids('AWS::IAM::Role').filter((role) => {
    const managed = sizesOf('AWS::IAM::ManagedPolicy', role)
    expect(managed.length).toBeLessThanOrEqual(10)
    expect(managed.filter((size) => size > 6144)).toEqual([])
    const inline = sizesOf('AWS::IAM::Policy', role)
    expect(inline.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(10_240)
    return managed.length > 0
  })
  // The function's, and that of those who enroll.
  expect(large).toHaveLength(2)
  // CloudFormation's limits for a stack, and for its template as it is uploaded.
  expect(Object.keys(all.resources).length).toBeLessThanOrEqual(500)
  expect(JSON.stringify(Template.fromStack(many).toJSON(), undefined, 1).length).toBeLessThan(1e6)
  // CDK's own, near such limits.
  Annotations.fromStack(many).hasNoWarning('*', Match.anyValue())
})
