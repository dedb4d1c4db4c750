import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb'
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Code,
  FunctionUrlAuthType,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import { buildSync } from 'esbuild'
import { RotatorStack } from '../../lib/cdk/rotator-stack.ts'
import type { TokenRotatorProps } from '../../lib/cdk/token-rotator.ts'

/** Names of the stacks, in the order in which they are deployed. */
export const stackNames = { vendor: 'TokenRotatorIntegVendor', rotator: 'TokenRotatorInteg' }

/** The one connection, the id of its client, and who reads what is published for it. */
export const connectionId = 'integ'
export const clientId = 'token-rotator'
export const consumerRoleName = 'token-rotator-integ-consumer'

/** The list of connections, for the construct and for the commands. */
export function connectionsAt(vendorUrl: string) {
  const url = vendorUrl.replace(/\/$/, '')
  return [
    {
      id: connectionId,
      vendor: 'oauth2',
      tokenEndpoint: `${url}/token`,
      verifyUrl: `${url}/me`,
      baseUrl: url,
      grant: 'refresh_token',
      clientId,
    },
  ]
}

/**
 * A vendor of one's own in the cloud: the OAuth server behind a function URL that everybody can reach.
 *
 * @param secretDigest of the client's secret; the secret itself is in no template
 */
export function vendorStack(app: App, secretDigest: string): Stack {
  const stack = new Stack(app, stackNames.vendor, {
    description: 'A vendor for the trial of token-rotator in an account; to be destroyed after it',
  })
  const table = new Table(stack, 'Records', {
    partitionKey: { name: 'id', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: 'expiresAt',
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const code = join(app.outdir, 'vendor-function')
  mkdirSync(code, { recursive: true })
  buildSync({
    entryPoints: ['test/integ/vendor-function.ts'],
    outfile: join(code, 'index.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    logLevel: 'warning',
  })
  const vendor = new LambdaFunction(stack, 'Vendor', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(code),
    handler: 'index.handler',
    timeout: Duration.seconds(15),
    memorySize: 512,
    environment: {
      TABLE: table.tableName,
      CLIENT_ID: clientId,
      CLIENT_SECRET_SHA256: secretDigest,
    },
  })
  table.grantReadWriteData(vendor)
  const { url } = vendor.addFunctionUrl({ authType: FunctionUrlAuthType.NONE })
  new CfnOutput(stack, 'Url', { value: url })
  new CfnOutput(stack, 'Table', { value: table.tableName })
  return stack
}

/**
 * The rotator, as `bin/app.ts` deploys it, and a role that may read what it publishes.
 *
 * @param props where the built functions are, if not in `dist`
 */
export function rotatorStack(
  app: App,
  vendorUrl: string,
  props: Pick<TokenRotatorProps, 'assets'> = {},
): RotatorStack {
  const stack = new RotatorStack(app, stackNames.rotator, {
    description: 'A trial of token-rotator; to be destroyed after it',
    connections: connectionsAt(vendorUrl),
    ...props,
  })
  const consumer = new Role(stack, 'Consumer', {
    roleName: consumerRoleName,
    assumedBy: new AccountRootPrincipal(),
  })
  stack.rotator.accessToken(connectionId).grantRead(consumer)
  const rotation = stack.rotator.node.findChild('oauth2').node.findChild('Function')
  new CfnOutput(stack, 'Function', { value: (rotation as LambdaFunction).functionName })
  return stack
}
