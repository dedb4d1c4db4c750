import { randomUUID } from 'node:crypto'
import { Stack } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { AccountPrincipal, ArnPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { describe, expect, test, vi } from 'vitest'
import { enroll, requestRotation } from '../../lib/core/enroll.ts'
import { mdrWorld } from '../core/world.ts'
import { env, resourcesOf, rotatorStack } from './synthesis.ts'
import { vpc } from './vpc.ts'

const network = vpc()
const owner = new Stack(undefined, 'Keys', { env })
const key = (region: string, n: number) =>
  Key.fromKeyArn(
    owner,
    `Key${n}`,
    `arn:aws:kms:${region}:111122223333:key/00000000-0000-4000-8000-00000000000${n}`,
  )
const encryptionKey = key('eu-west-1', 1)
const replicaKey = key('eu-central-1', 2)

const stack = rotatorStack()
const template = Template.fromStack(stack)

describe('the secrets', () => {
  const secrets = resourcesOf(stack, 'AWS::SecretsManager::Secret')

  test('are two for each connection, by the names that the engine uses', () => {
    expect(
      Object.values(secrets)
        .map(({ Properties }) => Properties.Name)
        .sort(),
    ).toEqual([
      'token-rotator/ftd-hq/access-token',
      'token-rotator/ftd-hq/enrollment',
      'token-rotator/mdr-prod/access-token',
      'token-rotator/mdr-prod/enrollment',
      'token-rotator/mdr-test/access-token',
      'token-rotator/mdr-test/enrollment',
    ])
  })

  test('have no value, neither given nor made up', () => {
    for (const { Properties } of Object.values(secrets)) {
      expect(Object.keys(Properties).sort()).toEqual(['Description', 'Name', 'Tags'])
    }
  })

  test('outlive the stack, and a replacement', () => {
    for (const { DeletionPolicy, UpdateReplacePolicy } of Object.values(secrets)) {
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

  test('have each a policy that may never open them to the public', () => {
    template.resourceCountIs('AWS::SecretsManager::ResourcePolicy', 6)
    template.allResourcesProperties('AWS::SecretsManager::ResourcePolicy', {
      BlockPublicPolicy: true,
    })
  })

  test('stay what they are, and keep their values, whatever else is configured', () => {
    const changed = rotatorStack({
      connections: [
        { id: 'aa-new', vendor: 'cisco-ftd', url: 'https://192.0.2.77' },
        {
          id: 'ftd-hq',
          vendor: 'cisco-ftd',
          url: 'https://192.0.2.99',
          customToken: {},
          renew: { everySeconds: 900 },
          network: 'internet',
        },
        { id: 'mdr-test', vendor: 'kaspersky-mdr', clientId: 'other' },
      ],
      vpc: network,
      encryptionKey,
      replicaRegions: [{ region: 'eu-central-1', encryptionKey: replicaKey }],
      breakGlassRole: Role.fromRoleArn(
        owner,
        'BreakGlass',
        'arn:aws:iam::111122223333:role/BreakGlass',
      ),
    })
    const kept = Object.entries(resourcesOf(changed, 'AWS::SecretsManager::Secret')).filter(
      ([, { Properties }]) => !Properties.Name.includes('aa-new'),
    )
    expect(kept).toHaveLength(4)
    for (const [id, { Properties, ...rest }] of kept) {
      // A key and replicas are changed in place, and neither is a value.
      const { KmsKeyId, ReplicaRegions, ...same } = Properties
      expect({ ...rest, Properties: same }).toEqual(secrets[id])
      expect(KmsKeyId).toBe(encryptionKey.keyArn)
      expect(ReplicaRegions).toEqual(
        Properties.Name.endsWith('/enrollment')
          ? undefined
          : [{ Region: 'eu-central-1', KmsKeyId: replicaKey.keyArn }],
      )
    }
  })
})

/** What the policy of a role that was granted something says. */
function granted(grant: (role: Role, from: ReturnType<typeof rotatorStack>) => void, props = {}) {
  const from = rotatorStack(props)
  grant(new Role(from, 'Granted', { assumedBy: new AccountPrincipal('111122223333') }), from)
  const [policy] = Object.values(
    Template.fromStack(from).findResources('AWS::IAM::Policy', {
      Properties: { Roles: [{ Ref: Match.stringLikeRegexp('^Granted') }] },
    }),
  )
  return policy?.Properties.PolicyDocument.Statement
}

const accessToken = { Ref: 'TokenRotatorConnectionsftdhqAccessToken1FBC43F2' }

describe('to read a connection', () => {
  test('is to read its consumer secret, and nothing to write', () => {
    const statements = granted((role, from) => from.rotator.connection('ftd-hq').grantRead(role))
    expect(statements).toEqual([
      {
        Action: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
        Effect: 'Allow',
        Resource: accessToken,
      },
    ])
  })

  test('is to read its replicas as well, each by the key of its region', () => {
    const statements = granted((role, from) => from.rotator.connection('ftd-hq').grantRead(role), {
      encryptionKey,
      replicaRegions: [{ region: 'eu-central-1', encryptionKey: replicaKey }],
    })
    const replica = {
      'Fn::Join': [
        '',
        [
          'arn:aws:secretsmanager:eu-central-1:111122223333:secret:',
          { 'Fn::Select': [6, { 'Fn::Split': [':', accessToken] }] },
        ],
      ],
    }
    const decrypt = (region: string, of: unknown, { keyArn }: typeof encryptionKey) => ({
      Action: 'kms:Decrypt',
      Effect: 'Allow',
      Resource: keyArn,
      Condition: {
        StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` },
        ArnLike: { 'kms:EncryptionContext:SecretARN': [of] },
      },
    })
    expect(statements).toEqual([
      expect.objectContaining({ Resource: [replica, accessToken] }),
      decrypt('eu-west-1', accessToken, encryptionKey),
      decrypt('eu-central-1', replica, replicaKey),
    ])
  })

  test('is what its secret is for other constructs', () => {
    const { secret } = stack.rotator.connection('ftd-hq')
    expect(stack.resolve(secret.secretArn)).toEqual(accessToken)
    const statements = granted((role, from) =>
      from.rotator.connection('ftd-hq').secret.grantRead(role),
    )
    expect(statements).toHaveLength(1)
  })

  test('from an account that may be another needs a key, as synthesis says where it cannot know', () => {
    // CDK prints the warning as well.
    vi.spyOn(console, 'error').mockReturnValue()
    const consumers = { 'ftd-hq': [new ArnPrincipal('arn:aws:iam::444455556666:role/Soc')] }
    const anywhere = rotatorStack({ env: {}, consumers })
    const warning = Match.stringLikeRegexp('found a reader of ftd-hq in account 444455556666; if')
    Annotations.fromStack(anywhere).hasWarning('*', warning)
    const here = rotatorStack({ consumers: { 'ftd-hq': [new AccountPrincipal(env.account)] } })
    Annotations.fromStack(here).hasNoWarning('*', Match.anyValue())
  })

  test('from another account takes the policy of the key, and says so where that is not ours to change', () => {
    // CDK prints the warning as well.
    vi.spyOn(console, 'error').mockReturnValue()
    const imported = rotatorStack({
      encryptionKey,
      consumers: { 'ftd-hq': [new ArnPrincipal('arn:aws:iam::444455556666:role/Soc')] },
    })
    Annotations.fromStack(imported).hasWarning(
      '*',
      Match.stringLikeRegexp(
        'the policy of the imported key in eu-west-1 must let the readers of token-rotator/ftd-hq/access-token use kms:Decrypt',
      ),
    )
  })
})

test('to enroll a connection is to make the calls of enroll, rotate and status, and to read no secret', async () => {
  const world = mdrWorld()
  await world.invoke()
  const called = new Set<string>()
  const watched = <T extends object>(port: T, name: string): T =>
    new Proxy(port, {
      get(target, key) {
        called.add(`${name}.${String(key)}`)
        return Reflect.get(target, key)
      },
    })
  const { secrets, parameters, ledger } = world.ports
  const ports = {
    ...world.ports,
    secrets: watched(secrets, 'secrets'),
    parameters: watched(parameters, 'parameters'),
    ledger: watched(ledger, 'ledger'),
  }
  const { connection, vendor } = world
  const run = { connection, vendor, runId: 'person-1', remainingSeconds: () => 60 }
  await enroll(run, { refreshToken: 'console-token-2' }, randomUUID(), ports)
  await requestRotation(run, ports)

  const actions: Record<string, string> = {
    'secrets.put': 'secretsmanager:PutSecretValue',
    'parameters.remove': 'ssm:DeleteParameter',
    'ledger.read': 'dynamodb:GetItem',
    'ledger.write': 'dynamodb:PutItem',
  }
  const statements: { Action: string | string[] }[] = granted((role, from) =>
    from.rotator.connection('ftd-hq').grantEnroll(role),
  )
  expect([...called].map((call) => actions[call]).sort()).toEqual(
    statements.flatMap(({ Action }) => Action).sort(),
  )
})
