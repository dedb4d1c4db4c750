import { execFile, spawnSync } from 'node:child_process'
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

describe.each(Object.entries(clients))('%s', (name, { probe, rotate }) => {
  const [file = '', ...args] = probe
  const isInstalled = spawnSync(file, args, { stdio: 'ignore' }).status === 0
  if (!isInstalled) process.stderr.write(`SKIPPED: rotate-secret by ${name}: it is not installed\n`)

  test.skipIf(!isInstalled)(
    'rotates a secret, and reads the token of that version',
    async () => {
      captured()
      const scene = await rotated('mdr-demo')
      await scene.tick()
      const [command = '', ...rest] = rotate(scene.endpoint.url, scene.consumer)
      const { stdout } = await run(command, rest, { env: process.env })
      const { VersionId, Name } = JSON.parse(stdout)
      await scene.endpoint.rotationsSettled()
      expect(Name).toBe(scene.consumer)
      expect((await scene.labels())?.[VersionId]).toEqual(['AWSCURRENT'])
      expect(await scene.isServed()).toBe(true)
      expect(scene.harm()).toEqual(noHarm)
    },
    60_000,
  )
})
