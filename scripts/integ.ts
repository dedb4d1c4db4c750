import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { App } from 'aws-cdk-lib'
import * as v from 'valibot'
import { deleteWhatIsKept, isInstalled, openAccount } from '../test/integ/account.ts'
import { claims } from '../test/integ/claims.ts'
import { rotatorStack, stackNames, vendorStack } from '../test/integ/stacks.ts'
import { digest } from '../test/integ/vendor-function.ts'
import { bundle } from './build.ts'

// Tries the rotator in an account of yours: deploys it and a vendor of its own, checks, destroys both.
//
//     npm run integ -- --dry-run   synthesizes, prints the plan, and asks AWS for nothing
//     npm run integ                does it, with the credentials and the region of the environment
//
// Nobody has run it against AWS yet: what it does there is type-checked and no more.

const Template = v.object({ Resources: v.record(v.string(), v.unknown()) })
const Outputs = v.record(v.string(), v.record(v.string(), v.string()))

const { values: options } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'token-rotator-integ-'))
const say = (text: string) => process.stdout.write(`${text}\n`)
try {
  if (options['dry-run']) await dryRun()
  else process.exitCode = await run()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function dryRun(): Promise<void> {
  await bundle(folder)
  const app = new App({ outdir: join(folder, 'cdk.out'), builtinCloudFormationValidation: false })
  const stacks = [
    vendorStack(app, '0'.repeat(64)),
    rotatorStack(app, 'https://vendor.example.com/', { assets: join(folder, 'assets') }),
  ]
  const assembly = app.synth()
  say('dry run: nothing is deployed, and this has not been run against AWS yet\n')
  for (const { stackName } of stacks) {
    const { Resources } = v.parse(Template, assembly.getStackByName(stackName).template)
    say(`deploy ${stackName}: ${Object.keys(Resources).length} resources`)
  }
  for (const { title } of claims) say(`check: ${title}`)
  for (const name of Object.values(stackNames).reverse()) say(`destroy ${name}`)
  say('delete what outlives the stack: the ledger and both secrets')
}

async function run(): Promise<number> {
  if (await isInstalled()) {
    say('token-rotator is installed in this account and region; choose another, by AWS_REGION')
    return 2
  }
  await bundle('dist')
  const clientSecret = randomBytes(32).toString('base64url')
  const context = ['-c', `clientSecretSha256=${digest(clientSecret)}`]
  let failed = 0
  try {
    const { Url: vendorUrl = '', Table: vendorTable = '' } = deploy(stackNames.vendor, context)
    context.push('-c', `vendorUrl=${vendorUrl}`)
    const { Function: functionName = '', EnrollRole: enrollRole = '' } = deploy(
      stackNames.rotator,
      context,
    )
    const deployed = { vendorUrl, vendorTable, functionName, enrollRole, clientSecret }
    const account = openAccount(deployed, folder)
    for (const { title, check } of claims) {
      try {
        await check(account)
        say(`holds: ${title}`)
      } catch (error) {
        failed++
        say(`FAILS: ${title}: ${error instanceof Error ? error.message : 'unknown'}`)
      }
    }
  } finally {
    if (options.keep) say('kept: both stacks, the ledger and both secrets')
    else {
      cdk('destroy', '--force', ...context, stackNames.rotator, stackNames.vendor)
      await deleteWhatIsKept()
    }
  }
  say(`${claims.length - failed} of ${claims.length} hold`)
  return failed === 0 ? 0 : 1
}

/** @returns the stack's outputs */
function deploy(stack: string, context: readonly string[]): Record<string, string> {
  const outputs = join(folder, `${stack}.json`)
  cdk('deploy', '--require-approval', 'never', '--outputs-file', outputs, ...context, stack)
  return v.parse(Outputs, JSON.parse(readFileSync(outputs, 'utf8')))[stack] ?? {}
}

function cdk(...args: string[]): void {
  const app = [process.execPath, '--import', 'tsx', 'test/integ/app.ts'].join(' ')
  const out = join(folder, 'cdk.out')
  const own = ['--app', app, '--output', out]
  execFileSync(join('node_modules', '.bin', 'cdk'), [...args, ...own], { stdio: 'inherit' })
}
