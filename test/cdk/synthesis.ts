import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { App, type StackProps } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type Existing, RotatorStack } from '../../lib/cdk/rotator-stack.ts'
import type { TokenRotatorProps } from '../../lib/cdk/token-rotator-props.ts'
import { vendors } from '../../lib/vendors/index.ts'
import { temporaryFolder } from '../temporary.ts'

/** Two connections of one vendor and one of another. */
export const connections = [
  { id: 'mdr-prod', vendor: 'kaspersky-mdr', clientId: 'tenant' },
  { id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' },
  { id: 'mdr-test', vendor: 'kaspersky-mdr' },
]

/** Stands in for the built functions: templates do not depend on what is in them. */
export const assets = temporaryFolder()
for (const vendor of Object.keys(vendors)) {
  mkdirSync(join(assets, vendor))
  writeFileSync(join(assets, vendor, `${vendor}.mjs`), 'export const handler = async () => {}\n')
}

const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as {
  context: Record<string, unknown>
}

/** Where every stack of these tests would be deployed. */
export const env = { account: '111122223333', region: 'eu-west-1' }

/** An application with the feature flags of the shipped one. */
export function testApp(): App {
  return new App({
    context,
    outdir: temporaryFolder(),
    // Loading its rules takes seconds; the test that runs cdk synth has them on.
    builtinCloudFormationValidation: false,
  })
}

/** The stack as the application makes it. */
export function rotatorStack(
  props: Partial<TokenRotatorProps> & Existing & StackProps = {},
): RotatorStack {
  return new RotatorStack(testApp(), 'TokenRotator', {
    env,
    assets,
    connections,
    ...props,
  })
}

/** A resource of a template, in CDK's own loose type. */
export type Resource = ReturnType<Template['findResources']>[string]

/** Resources of a type, by logical id. */
export function resourcesOf(stack: RotatorStack, type: string): Record<string, Resource> {
  return Template.fromStack(stack).findResources(type)
}
