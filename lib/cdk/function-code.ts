import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Names, Stage } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { Connection } from '../core/connection.ts'
import { encodeConnection } from '../core/decode-connections.ts'
import { ConfigError } from '../core/errors.ts'

/** Where a function finds its connections, once Lambda has unpacked them. */
export const connectionsPath = '/var/task/connections.json'

/**
 * What is deployed: a vendor's built code and its connections, the same bytes for the same input.
 *
 * @param built folder of the vendor's code
 * @throws {ConfigError} the functions have not been built
 */
export function functionCode(
  scope: Construct,
  built: string,
  connections: readonly Connection[],
): Code {
  if (!existsSync(built)) throw new ConfigError(built, 'has not been built; run npm run build')
  const folder = join(
    Stage.of(scope)?.assetOutdir ?? '',
    `code.${Names.uniqueResourceName(scope, {})}`,
  )
  rmSync(folder, { recursive: true, force: true })
  cpSync(built, folder, { recursive: true })
  const list = connections.map(encodeConnection)
  writeFileSync(join(folder, 'connections.json'), `${JSON.stringify(list, null, 2)}\n`)
  return Code.fromAsset(folder)
}
