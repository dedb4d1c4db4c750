import { App } from 'aws-cdk-lib'
import { rotatorStack, vendorStack } from './stacks.ts'

// The app of `npm run integ`. The rotator's connections are written at synthesis, and so it comes once
// the vendor's address is known.
const app = new App()
const context = (name: string) => app.node.tryGetContext(name) as string | undefined
vendorStack(app, context('clientSecretSha256') ?? '0'.repeat(64))
const url = context('vendorUrl')
if (url !== undefined) rotatorStack(app, url)
