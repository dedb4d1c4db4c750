import { RemovalPolicy } from 'aws-cdk-lib'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { consumerSecretId, enrollmentSecretId } from '../core/documents.ts'

/**
 * The two secrets of a connection, empty: only `enroll` and the rotator give them values.
 *
 * They are plain CloudFormation resources because `Secret` would make up a random value, and any
 * value in a template is written again over the live one when the template changes. Both outlive the
 * stack: a refresh token that is deleted cannot be had again without a person at the vendor's console.
 */
export class ConnectionSecrets extends Construct {
  /** Credentials and the held pair. Only the rotator reads it. */
  readonly enrollment: CfnSecret
  /** What workloads read. */
  readonly accessToken: CfnSecret

  constructor(scope: Construct, connection: Connection) {
    super(scope, connection.id)
    const tags = [
      { key: 'token-rotator:connection', value: connection.id },
      { key: 'token-rotator:vendor', value: connection.vendor },
    ]
    this.enrollment = new CfnSecret(this, 'Enrollment', {
      name: enrollmentSecretId(connection.id),
      description: `Credentials and refresh token of ${connection.id}. Only token-rotator reads and writes it.`,
      tags,
    })
    this.accessToken = new CfnSecret(this, 'AccessToken', {
      name: consumerSecretId(connection.id),
      description: `Living access token of ${connection.id}, written by token-rotator.`,
      tags,
    })
    this.enrollment.applyRemovalPolicy(RemovalPolicy.RETAIN)
    this.accessToken.applyRemovalPolicy(RemovalPolicy.RETAIN)
  }
}
