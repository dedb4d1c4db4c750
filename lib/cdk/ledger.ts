import { RemovalPolicy } from 'aws-cdk-lib'
import {
  AttributeType,
  BillingMode,
  ProjectionType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb'
import type { Construct } from 'constructs'
import { dueIndex, ledgerTableName } from '../core/documents.ts'

/** Leases, due times and history of every connection. Holds no secret, and outlives the stack. */
export class Ledger extends Table {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      tableName: ledgerTableName,
      partitionKey: { name: 'vendor', type: AttributeType.STRING },
      sortKey: { name: 'connection', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.AWS_MANAGED,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.addLocalSecondaryIndex({
      indexName: dueIndex,
      sortKey: { name: 'dueAt', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    })
  }
}
