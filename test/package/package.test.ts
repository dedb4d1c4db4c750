import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { vendors } from '../../lib/vendors/index.ts'
import { temporaryFolder } from '../temporary.ts'
import { install, pack } from './install.ts'

/** Milliseconds that a busy machine may take for seconds of work. */
const patience = 180_000

// An app of somebody else's, as the README shows it.
const [shown = ''] =
  /(?<=```typescript\n)[^`]*from 'token-rotator'[^`]*/.exec(readFileSync('README.md', 'utf8')) ?? []
const app = temporaryFolder()
const files = {
  'package.json': { type: 'module' },
  'tsconfig.json': {
    compilerOptions: {
      ...{ module: 'nodenext', target: 'es2023', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
    },
  },
}
const code = {
  'app.ts': shown,
  'mistakes.ts': `
    import { Stack } from 'aws-cdk-lib'
    import { TokenRotator, type ConnectionProps } from 'token-rotator'

    // @ts-expect-error an unknown property
    new TokenRotator(new Stack(), 'Rotator', { connexions: [] })
    // @ts-expect-error without its vendor
    export const connection: ConnectionProps = { id: 'mdr-prod' }
  `,
  'workload.cts': `
    import { TokenRotator } from 'token-rotator'
    import { createTokenSource, type TokenSource } from 'token-rotator/consumer'

    const source: TokenSource = createTokenSource('mdr-prod')
    console.log(TokenRotator.name, typeof source.getToken)
  `,
}
let manifest: ReturnType<typeof install>

beforeAll(() => {
  const others = ['@types/node', '@aws-sdk/client-secrets-manager']
  manifest = install(pack(temporaryFolder()), app, others)
  for (const [name, json] of Object.entries(files)) {
    writeFileSync(join(app, name), JSON.stringify(json))
  }
  for (const [name, text] of Object.entries(code)) writeFileSync(join(app, name), text)
}, patience)

const command = () => join(app, 'node_modules', '.bin', 'token-rotator')

/** Nothing of the test run's own; without the SDK's reminder on Node 20, which is for its upgraders. */
const env = {
  PATH: process.env.PATH,
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
}

function run(program: string, ...args: string[]) {
  return spawnSync(program, args, { cwd: app, env, encoding: 'utf8' })
}

describe('the package', () => {
  test('holds every function as it is deployed, the papers, and no source', () => {
    const home = join(app, 'node_modules', 'token-rotator')
    const held = readdirSync(home, { recursive: true, encoding: 'utf8' })
    for (const vendor of Object.keys(vendors)) {
      expect(held).toContain(`dist/assets/${vendor}/${vendor}.mjs`)
    }
    expect(held).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'dist/THIRD-PARTY-LICENSES.txt']),
    )
    expect(held.filter((path) => /(?<!\.d)\.ts$|\.map$|^(lib|test|bin)\b/.test(path))).toEqual([])
  })

  test('holds what its papers link to', () => {
    const home = join(app, 'node_modules', 'token-rotator')
    const pages = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.md'),
    )
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/operations.md']))
    const links = pages.flatMap((page) =>
      [...readFileSync(join(home, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(
        ([, path = '']) => join(dirname(page), path),
      ),
    )
    expect(links.filter((path) => !existsSync(join(home, path)))).toEqual([])
  })

  test('asks an app for nothing that only local mode, the functions or the commands need', () => {
    const { dependencies } = manifest
    expect(
      Object.keys(dependencies).filter((name) => /^@aws|dynalite|oidc|citty/.test(name)),
    ).toEqual([])
    // Not even by accident: what is not declared cannot be found in this app.
    const found = run(process.execPath, '-p', "require.resolve('dynalite')")
    expect(found.stderr).toContain('MODULE_NOT_FOUND')
  })

  test('hands on the licences of what it holds', () => {
    const path = join(app, 'node_modules', 'token-rotator', 'dist', 'THIRD-PARTY-LICENSES.txt')
    const licences = readFileSync(path, 'utf8')
    for (const name of ['@aws-sdk/client-secrets-manager', 'dynalite', 'oidc-provider', 'undici']) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
    }
  })
})

describe('an app', { timeout: patience }, () => {
  beforeAll(() => {
    // Compiles as well: what runs below is what a plain Node runs.
    const checked = run(resolve('node_modules', '.bin', 'tsc'), '-p', '.')
    expect(checked.stdout).toBe('')
    expect(checked.status).toBe(0)
  }, patience)

  test('that adds the construct type-checks and synthesizes with the functions of the package', () => {
    const out = join(app, 'cdk.out')
    execFileSync(process.execPath, ['app.js'], { cwd: app, env: { ...env, CDK_OUTDIR: out } })
    const template = readFileSync(join(out, 'Security.template.json'), 'utf8')
    expect(template).toContain('"token-rotator/mdr-prod/enrollment"')
    expect(template).toContain('AWS::Scheduler::Schedule')
    const assets = readdirSync(out, { recursive: true, encoding: 'utf8' })
    const [entry] = assets.filter((path) => path.endsWith('/kaspersky-mdr.mjs'))
    const packed = ['node_modules', 'token-rotator', 'dist', 'assets', 'kaspersky-mdr']
    expect(readFileSync(join(out, String(entry)), 'utf8')).toBe(
      readFileSync(join(app, ...packed, 'kaspersky-mdr.mjs'), 'utf8'),
    )
    expect(assets.some((path) => path.endsWith('/connections.json'))).toBe(true)
  })

  // Node 20.19 and later; before that an app has to be of ES modules.
  test.runIf('require_module' in process.features && process.features.require_module)(
    'of CommonJS modules gets the construct and the consumer library as well',
    () => {
      const { stdout, stderr } = run(process.execPath, 'workload.cjs')
      expect(stderr).toBe('')
      expect(stdout).toBe('TokenRotator function\n')
    },
  )
})

describe('its command', { timeout: patience }, () => {
  test('tells what there is to do', () => {
    const { stdout, status } = run(command(), '--help')
    for (const name of ['local', 'simulate', 'enroll', 'rotate', 'status']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    }
    expect(status).toBe(0)
  })

  test('runs local mode: it says where it is, rotates, and ends on a signal with its counts', async () => {
    const child = spawn(command(), ['local', '--port', '0'], { cwd: app, env })
    onTestFinished(() => void child.kill('SIGKILL'))
    let printed = ''
    const ended = once(child, 'exit')
    child.stderr.on('data', (chunk) => {
      printed += chunk
    })
    let isAsked = false
    for await (const chunk of child.stdout) {
      printed += chunk
      // Once: who asks twice is obeyed at once.
      if (!isAsked && printed.includes('oauth2-refresh-demo: rotated')) {
        isAsked = child.kill('SIGINT')
      }
    }
    expect(printed).toContain('AWS endpoint at http://127.0.0.1:')
    expect(printed).toContain(' 0 spent twice, 0 pairs lost;')
    expect(await ended).toEqual([0, null])
  })

  test('reads the list of an app that keeps it in connections.json', () => {
    const connections = [{ id: 'mdr-prod', vendor: 'kaspersky-mdr', clientId: 'tenant' }]
    writeFileSync(join(app, 'connections.json'), JSON.stringify(connections))
    const { stderr, status } = run(command(), 'rotate', 'mdr-test')
    expect(stderr).toContain("connection 'mdr-test' is not configured; allowed are mdr-prod")
    expect(status).toBe(2)
  })

  test('says in one line which package a kept state takes', () => {
    const { stdout, stderr, status } = run(command(), 'local-aws', '--port', '0', '--data', 'kept')
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^token-rotator: .*npm install classic-level.*\n$/)
    expect(status).toBe(2)
  })
})
