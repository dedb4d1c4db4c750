import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { vendors } from '../../lib/vendors/index.ts'
import { temporaryFolder } from '../temporary.ts'

// Long beside a few seconds of work, because a busy machine must not make it fail.
const patience = 120_000

/** Runs `npx cdk synth` as a user would, with an output folder of its own. */
async function synth(out: string, ...options: string[]) {
  const run = promisify(execFile)
  return run('npx', ['cdk', 'synth', '--output', out, ...options], {
    env: plainEnvironment(),
  }).then(
    ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ ...error, status: error.code }),
  )
}

/** Nothing of the test run's own, and no account. */
function plainEnvironment() {
  const { PATH, HOME } = process.env
  return { PATH, HOME, AWS_EC2_METADATA_DISABLED: 'true' }
}

test(
  'cdk synth builds the functions and writes a template without an account',
  async () => {
    const out = temporaryFolder()
    const { status, stdout, stderr } = await synth(out)
    expect(stderr).not.toMatch(/error/i)
    // A 15-minute token lies where AWS's two statements disagree: allowed, with the arithmetic.
    const warnings = [...stderr.matchAll(/^WARNING (.*)$/gm)].map(([, text]) => text)
    expect(warnings).toEqual([expect.stringMatching(/that is 144 versions a day \(86400 \/ 600\)/)])
    expect(status).toBe(0)
    expect(stdout).toContain('AWS::Scheduler::Schedule')
    const { files } = JSON.parse(readFileSync(join(out, 'TokenRotator.assets.json'), 'utf8'))
    const folders = (Object.values(files) as { source: { path: string; packaging: string } }[])
      .filter(({ source }) => source.packaging === 'zip')
      .map(({ source }) => join(out, source.path))
    expect(folders).toHaveLength(Object.keys(vendors).length)
    for (const folder of folders) expect(existsSync(join(folder, 'connections.json'))).toBe(true)
  },
  patience,
)

test(
  'a mistake in the file that is named on the command line is told in one line',
  async () => {
    const path = join(temporaryFolder(), 'mine.json')
    writeFileSync(
      path,
      '[{ "id": "mdr-prod", "vendor": "kaspersky-mdr", "refreshToken": "canary-4711" }]',
    )
    const { status, stdout, stderr } = await synth(temporaryFolder(), '-c', `connections=${path}`)
    expect(status).toBe(1)
    expect(stdout).toBe('')
    const lines = stderr
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('npm warn'))
    expect(lines).toEqual([
      'connections[0].refreshToken: is a credential; credentials are enrolled, never configured: remove it and run token-rotator enroll',
      // The command line interface's own last word.
      expect.stringMatching(/Subprocess exited with error 1$/),
    ])
  },
  patience,
)

test.each([
  ['vpcId', 'vpc-0123456789abcdef0', 'subnetIds'],
  ['subnetIds', 'subnet-0123456789abcdef0', 'vpcId'],
])(
  'half a network (%s alone) is told in one line',
  (given, value, missing) => {
    const CDK_CONTEXT_JSON = JSON.stringify({ [given]: value })
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bin/app.ts'], {
      env: { ...plainEnvironment(), CDK_CONTEXT_JSON, CDK_OUTDIR: temporaryFolder() },
      encoding: 'utf8',
    })
    expect(stderr).toMatch(
      new RegExp(`^${missing}: found nothing; allowed are both or neither, .*\\n$`),
    )
    expect(status).toBe(1)
  },
  patience,
)
