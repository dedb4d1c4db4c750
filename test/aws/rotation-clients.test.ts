import { execFile, spawnSync } from 'node:child_process'
import { devNull } from 'node:os'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { captured } from './account.ts'
import { functionArn, noHarm, rotated } from './rotated.ts'

const run = promisify(execFile)

/** AWS's own clients, where they are installed: each rotates, and prints what it is answered as JSON. */
const clients: Record<string, { probe: string[]; rotate: (url: string, id: string) => string[] }> =
  {
    'aws command': {
      probe: ['aws', '--version'],
      rotate: (url, id) => [
        ...['aws', '--endpoint-url', url, '--region', 'us-east-1', '--output', 'json'],
        ...['secretsmanager', 'rotate-secret', '--secret-id', id],
        ...['--rotation-lambda-arn', functionArn],
        ...['--rotation-rules', '{"AutomaticallyAfterDays":30}'],
      ],
    },
    boto3: {
      probe: ['python3', '-c', 'import boto3'],
      rotate: (url, id) => [
        'python3',
        '-c',
        [
          'import boto3, json, sys',
          'url, id, function = sys.argv[1:]',
          'client = boto3.client("secretsmanager", endpoint_url=url, region_name="us-east-1")',
          'answer = client.rotate_secret(SecretId=id, RotationLambdaARN=function)',
          'print(json.dumps({key: answer[key] for key in ("ARN", "Name", "VersionId")}))',
        ].join('\n'),
        ...[url, id, functionArn],
      ],
    },
  }

const installed = Object.entries(clients).filter(([, { probe }]) => {
  const [file = '', ...args] = probe
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
})

if (installed.length === 0) {
  process.stderr.write(
    'SKIPPED: rotate-secret by AWS clients: neither aws nor boto3 is installed\n',
  )
  test.skip('aws or boto3 rotates a secret', () => {})
}

describe.each(installed)('%s', (_name, { rotate }) => {
  test('rotates a secret, whose readers are served by the new version', async () => {
    captured()
    const scene = await rotated('mdr-demo')
    await scene.tick()
    const [command = '', ...rest] = rotate(scene.endpoint.url, scene.consumer)
    // Nothing that a person has configured for these clients is read.
    const blank = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull }
    const { stdout } = await run(command, rest, { env: { ...process.env, ...blank } })
    const { VersionId, Name } = JSON.parse(stdout)
    await scene.endpoint.rotationsSettled()
    expect(Name).toBe(scene.consumer)
    expect((await scene.labels())?.[VersionId]).toEqual(['AWSCURRENT'])
    expect(await scene.isServed()).toBe(true)
    expect(scene.harm()).toEqual(noHarm)
  }, 60_000)
})
