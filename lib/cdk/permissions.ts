import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { chunks } from './chunks.ts'

/** Statements that allow, each for resources that have names; no pattern, and no `*`. */
export function allow(actions: string[], ...resources: string[]): PolicyStatement {
  return new PolicyStatement({ actions, resources })
}

/** Allows some calls on the items of one vendor in the ledger, or in an index of it. */
export function allowItems(actions: string[], resource: string, vendor: string): PolicyStatement {
  return new PolicyStatement({
    actions,
    resources: [resource],
    conditions: {
      'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [vendor] },
      // "For all values" is also true of no value.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    },
  })
}

// So that a statement fits a policy, and few policies hold them all: a role takes ten.
const connectionsPerStatement = 20

/**
 * Connections in as many as one statement names. In its conditions they stand by name: CDK does not
 * count what a reference will be there, and would overfill a policy.
 */
export function inStatements<T>(connections: readonly T[]): T[][] {
  return chunks(connections, connectionsPerStatement)
}

/** What Secrets Manager does with a key to write a value. */
export const keyActions = ['kms:Decrypt', 'kms:GenerateDataKey']

/**
 * Allows a customer's key for some secrets, through Secrets Manager and for nothing else.
 *
 * @param secrets ARNs of the secrets, or patterns of them
 * @param region where the key and the secrets are
 */
export function allowSecretKey(
  actions: string[],
  key: IKey,
  secrets: string[],
  region: string,
): PolicyStatement {
  return new PolicyStatement({
    actions,
    resources: [key.keyArn],
    conditions: {
      StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` },
      ArnLike: { 'kms:EncryptionContext:SecretARN': secrets },
    },
  })
}

/** The same for parameters, through Parameter Store. */
export function allowParameterKey(
  actions: string[],
  key: IKey,
  parameters: string[],
  region: string,
): PolicyStatement {
  return new PolicyStatement({
    actions,
    resources: [key.keyArn],
    conditions: {
      StringEquals: { 'kms:ViaService': `ssm.${region}.amazonaws.com` },
      ArnLike: { 'kms:EncryptionContext:PARAMETER_ARN': parameters },
    },
  })
}

/** ARN of a secret by its name, or of several by a pattern of it. */
export function secretArn(scope: Construct, region: string, name: string): string {
  return Stack.of(scope).formatArn({
    service: 'secretsmanager',
    region,
    resource: 'secret',
    resourceName: name,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
}

/** ARN of a parameter, by its name; of this region by default. */
export function parameterArn(scope: Construct, name: string, region?: string): string {
  return Stack.of(scope).formatArn({
    service: 'ssm',
    ...(region === undefined ? {} : { region }),
    resource: 'parameter',
    resourceName: name.replace(/^\//, ''),
  })
}
