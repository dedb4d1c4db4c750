import { runSimulation, type Simulation } from '@cloud-copilot/iam-simulate'
import type { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import type { Resource } from './synthesis.ts'

/** A policy document, as a template holds it. */
interface Document {
  readonly Version: string
  readonly Statement: readonly Readonly<Record<string, unknown>>[]
}

/** Who asks: its session's ARN as IAM sees it, and the policies of its identity. */
export interface Principal {
  readonly arn: string
  readonly policies: readonly Document[]
}

export const account = '111122223333'
const region = 'eu-west-1'

/** What KMS gives a key that is made elsewhere: the account decides. */
const defaultKeyPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${account}:root` },
      Action: 'kms:*',
      Resource: '*',
    },
  ],
}

/**
 * The simulator leaves out what it does not know, and so the keys of an encryption context, whose names
 * callers choose. Tags of a principal have such names as well, and stand in for them on both sides.
 */
function withKnownKeys(simulation: Simulation): Simulation {
  return JSON.parse(
    JSON.stringify(simulation).replaceAll('kms:EncryptionContext:', 'aws:PrincipalTag/'),
  )
}

/** A stack as it would be deployed: every name known, every policy where it belongs. */
export class Deployed {
  readonly resources: Readonly<Record<string, Resource>>
  readonly #policies = new Map<string, Document | undefined>()

  constructor(stack: Stack) {
    this.resources = Template.fromStack(stack).toJSON().Resources
  }

  /** Logical ids of a type, of resources that a test picks out. */
  ids(type: string, isMeant: (properties: Resource['Properties']) => boolean = () => true) {
    return Object.entries(this.resources)
      .filter(([, { Type, Properties }]) => Type === type && isMeant(Properties))
      .map(([id]) => id)
  }

  /** The only such resource's ARN. */
  arn(type: string, isMeant?: (properties: Resource['Properties']) => boolean): string {
    const [id, ...more] = this.ids(type, isMeant)
    if (id === undefined || more.length > 0) throw new Error(`not one ${type}`)
    return this.arnOf(id)
  }

  /** A role with every policy that is attached to it. */
  role(id: string): Principal {
    const { ManagedPolicyArns, Policies } = this.resources[id]?.Properties ?? {}
    if (ManagedPolicyArns !== undefined || Policies !== undefined) throw new Error('more policies')
    return {
      arn: this.arnOf(id),
      policies: Object.values(this.resources)
        .filter(
          ({ Type, Properties }) =>
            /^AWS::IAM::(Managed)?Policy$/.test(Type) &&
            Properties.Roles.some((role: { Ref: string }) => role.Ref === id),
        )
        .map(({ Properties }) => this.resolve(Properties.PolicyDocument) as Document),
    }
  }

  /** The role that a resource names in one of its properties. */
  roleOf(reference: { 'Fn::GetAtt': [string, string] }): Principal {
    return this.role(reference['Fn::GetAtt'][0])
  }

  /** Whether IAM lets a principal do it, by its own policies and those of the resource. */
  async allows(
    { arn, policies }: Principal,
    action: string,
    resource: string,
    context: Readonly<Record<string, string | string[]>> = {},
  ): Promise<boolean> {
    const resourcePolicy = this.policyOf(resource)
    const simulation: Simulation = {
      request: {
        principal: arn,
        action,
        resource: { resource, accountId: account },
        contextVariables: {
          'aws:PrincipalArn': arn,
          'aws:SecureTransport': 'true',
          ...context,
        },
      },
      identityPolicies: policies.map((policy, index) => ({ name: `policy-${index}`, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resourcePolicy === undefined ? {} : { resourcePolicy }),
    }
    const result = await runSimulation(withKnownKeys(simulation), {})
    if (result.resultType !== 'single') throw new Error(JSON.stringify(result))
    return result.overallResult === 'Allowed'
  }

  /** The resource policy of a secret, queue, function or key, and whom a role trusts. */
  policyOf(arn: string): Document | undefined {
    if (!this.#policies.has(arn)) this.#policies.set(arn, this.#findPolicy(arn))
    return this.#policies.get(arn)
  }

  #findPolicy(arn: string): Document | undefined {
    for (const [id, { Type, Properties }] of Object.entries(this.resources)) {
      if (Type === 'AWS::IAM::Role' && this.arnOf(id) === arn) {
        return this.resolve(Properties.AssumeRolePolicyDocument) as Document
      }
      if (Type === 'AWS::SecretsManager::ResourcePolicy') {
        if (this.resolve(Properties.SecretId) === arn) {
          return this.resolve(Properties.ResourcePolicy) as Document
        }
      }
      if (Type === 'AWS::SQS::QueuePolicy') {
        const { Queues, PolicyDocument } = Properties
        if (Queues.some((queue: { Ref: string }) => this.arnOf(queue.Ref) === arn)) {
          return this.resolve(PolicyDocument) as Document
        }
      }
      if (Type === 'AWS::Lambda::Permission' && this.resolve(Properties.FunctionName) === arn) {
        return this.#permission(Properties)
      }
    }
    if (!arn.startsWith('arn:aws:kms:')) return undefined
    const [key] = this.ids('AWS::KMS::Key').filter((id) => this.arnOf(id) === arn)
    if (key === undefined) return defaultKeyPolicy
    return this.resolve(this.resources[key]?.Properties.KeyPolicy) as Document
  }

  /** The policy that Lambda makes of a permission; a function of these stacks has one at most. */
  #permission({ Action, Principal, SourceAccount, SourceArn }: Resource['Properties']): Document {
    return {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: Principal },
          Action,
          Resource: '*',
          Condition: {
            StringEquals: { 'aws:SourceAccount': SourceAccount },
            ArnLike: { 'aws:SourceArn': this.resolve(SourceArn) },
          },
        },
      ],
    }
  }

  /** A template's value as the deployed stack would have it. */
  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.resolve(each))
    if (typeof value !== 'object' || value === null) return value
    const [[call, argument] = ['', undefined], ...more] = Object.entries(value)
    if (more.length === 0 && (call === 'Ref' || call.startsWith('Fn::'))) {
      return this.#call(call, argument)
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.resolve(each)]))
  }

  #call(call: string, argument: unknown): unknown {
    if (call === 'Ref' && argument === 'AWS::Partition') return 'aws'
    // Of all resources whose policies name them, the reference is the ARN.
    if (call === 'Ref') return this.arnOf(String(argument))
    if (call === 'Fn::GetAtt') return this.arnOf((argument as string[])[0] ?? '')
    if (call === 'Fn::Sub') return String(argument).replaceAll(/\$\{AWS::Partition\}/g, 'aws')
    const [first, second] = this.resolve(argument) as [string, string[]]
    if (call === 'Fn::Join') return second.join(first)
    if (call === 'Fn::Split') return String(second).split(first)
    if (call === 'Fn::Select') return second[Number(first)]
    throw new Error(`not resolved: ${call}`)
  }

  arnOf(id: string): string {
    const { Type, Properties } = this.resources[id] ?? {}
    const here = `${region}:${account}`
    switch (Type) {
      case 'AWS::SecretsManager::Secret':
        return `arn:aws:secretsmanager:${here}:secret:${Properties.Name}-AbCdEf`
      case 'AWS::DynamoDB::Table':
        return `arn:aws:dynamodb:${here}:table/${Properties.TableName}`
      case 'AWS::Logs::LogGroup':
        return `arn:aws:logs:${here}:log-group:${id}:*`
      case 'AWS::Lambda::Function':
        return `arn:aws:lambda:${here}:function:${id}`
      case 'AWS::SQS::Queue':
        return `arn:aws:sqs:${here}:${id}`
      case 'AWS::KMS::Key':
        return `arn:aws:kms:${here}:key/00000000-0000-4000-8000-000000000001`
      case 'AWS::Scheduler::ScheduleGroup':
        return `arn:aws:scheduler:${here}:schedule-group/${id}`
      case 'AWS::IAM::Role':
        return `arn:aws:iam::${account}:role/${Properties.RoleName ?? id}`
      default:
        throw new Error(`not resolved: ${id} of type ${Type}`)
    }
  }
}
