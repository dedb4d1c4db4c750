import { type Stack, Validations } from 'aws-cdk-lib'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { AwsSolutionsChecks, type NagPack, ServerlessChecks } from 'cdk-nag'
import type { IConstruct } from 'constructs'
import { describe, expect, test } from 'vitest'
import { rotatorStack } from './synthesis.ts'
import { vpc } from './vpc.ts'

const keyArn = (n: number) => `arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-${n}`
const topicArn = 'arn:aws:sns:eu-west-1:111122223333:security'
const network = vpc()
const key = (n: number) => Key.fromKeyArn(network.stack, `Key${n}`, keyArn(n))

/** Each pack anew: a pack keeps what it found. */
const packs = (stack: Stack): NagPack[] => [
  new AwsSolutionsChecks(stack),
  new ServerlessChecks(stack),
]

/** What the packs find in a stack, as rule and path of the resource. */
function findings(stack: Stack): string[] {
  return packs(stack).flatMap((pack) =>
    pack
      .validateScope(stack)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
      ),
  )
}

/** Everything that is acknowledged anywhere in a tree, with its reason. */
function acknowledged(root: IConstruct): { id: string; path: string; reason: string }[] {
  return root.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.entries(data as Record<string, string>))
      .map(([id, reason]) => ({ id: id.replace(/^Annotation::/, ''), path: node.path, reason })),
  )
}

/** There is no way to take an acknowledgement back but to forget it. */
function forget(root: IConstruct): void {
  for (const { node } of root.node.findAll()) {
    const value = node.metadata.filter(
      ({ type }) => type !== Validations.ACKNOWLEDGED_RULES_METADATA_KEY,
    )
    Object.defineProperty(node, 'metadata', { value })
  }
}

describe.each([
  ['with the least configured', {}],
  [
    'in whichever account and region, without native rotation',
    { env: {}, vpc: network, nativeRotation: false },
  ],
  [
    'with everything configured',
    {
      vpc: network,
      tracing: true,
      alarmTopic: Topic.fromTopicArn(network.stack, 'Topic', topicArn),
      encryptionKey: key(100000000001),
      escrowKey: key(100000000002),
      logEncryptionKey: key(100000000003),
      replicaRegions: [{ region: 'eu-central-1' }],
    },
  ],
])('the AwsSolutions and Serverless rules, %s,', (_, props) => {
  const stack = rotatorStack(props)
  const notes = acknowledged(stack)
  const unacknowledged = findings(stack)
  forget(stack)
  const all = findings(stack)

  test('find nothing that is not acknowledged', () => {
    expect(unacknowledged).toEqual([])
  })

  test('would find each acknowledged thing, where it is acknowledged', () => {
    expect(notes.length).toBeGreaterThan(0)
    const idle = notes.filter(
      ({ id, path }) => !all.some((each) => each.startsWith(`${id} at ${path}`)),
    )
    expect(idle).toEqual([])
  })

  test('are acknowledged one by one, each with a reason', () => {
    for (const { id, reason } of notes) {
      expect(id).toMatch(/^(AwsSolutions|Serverless)-[A-Za-z]+\d*(\[.+\])?$/)
      expect(reason.length).toBeGreaterThan(30)
    }
  })
})
