import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { enrollmentSecretId } from '../core/documents.ts'
import { TokenRotator } from './token-rotator.ts'
import type { TokenRotatorProps } from './token-rotator-props.ts'

/** The rotator as a stack of its own, which tells what an operator needs next. */
export class RotatorStack extends Stack {
  readonly rotator: TokenRotator

  /** @throws {ConfigError} a mistake in the configuration */
  constructor(scope: Construct, id: string, props: TokenRotatorProps & StackProps) {
    super(scope, id, props)
    this.rotator = new TokenRotator(this, 'TokenRotator', props)
    new CfnOutput(this, 'LedgerTable', {
      description: 'Table with the state of every connection',
      value: this.rotator.ledger.tableName,
    })
    for (const [index, { id }] of this.rotator.connections.entries()) {
      new CfnOutput(this, `Enroll${index}`, {
        description: `Empty until you run: token-rotator enroll ${id}`,
        value: enrollmentSecretId(id),
      })
    }
  }
}
