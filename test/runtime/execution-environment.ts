import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startRuntimeApi, type Told } from './runtime-api.ts'

/** A function as deployed. */
export interface FunctionSettings {
  /** Its code, and nothing else that it may read. */
  readonly folder: string
  /** File and export, e.g. `oauth2.handler`. */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  /** A Node of the function's version. */
  readonly node: string
}

/** How an invocation ended. */
export type Ended =
  | { readonly kind: 'response'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'init-error'; readonly error: unknown }
  /** Its time was over: the process was killed. */
  | { readonly kind: 'timed-out' }
  /** The process ended by itself. */
  | { readonly kind: 'exited'; readonly status: number | null }

export interface InvokeOptions {
  /** What the function is told of its time-out. @default 300 */
  readonly timeoutSeconds?: number
  /** Ends the function's time before its time-out has passed, so that nobody has to wait for it. */
  readonly timeOut?: AbortSignal
}

export interface ExecutionEnvironment {
  /** Milliseconds from its start until it asked for work; `undefined` if it never did. */
  readonly initMilliseconds: number | undefined
  /** Runs one invocation, thawed; afterwards it is frozen again. */
  readonly invoke: (event: unknown, options?: InvokeOptions) => Promise<Ended>
  readonly isAlive: () => boolean
  /** Stopped by its signal, as the system tells it. Linux only. */
  readonly isFrozen: () => boolean
  /** The most memory that it has held, in KiB. Linux only. */
  readonly peakMemoryKib: () => number
  /** What it has printed. */
  readonly output: () => string
  readonly close: () => Promise<void>
}

const ownClient = resolve('test/runtime/runtime-client.mjs')
const client = process.env.TOKEN_ROTATOR_RUNTIME_CLIENT ?? ownClient

/**
 * Starts a process as Lambda does: with the function's own files and nothing else in reach, the Runtime
 * API beside it, stopped whenever it has nothing to do.
 */
export async function startEnvironment(settings: FunctionSettings): Promise<ExecutionEnvironment> {
  const { handler, environment, node } = settings
  const folder = realpathSync(settings.folder)
  let hear: (told: Told) => void = () => undefined
  const next = () =>
    new Promise<Told>((tell) => {
      hear = tell
    })
  let told = next()
  const api = await startRuntimeApi((one) => hear(one))

  const startedAt = performance.now()
  const child = spawn(node, [...fence(folder), client], {
    // Lambda's, as far as a function can see it: nothing of this process's own.
    env: {
      ...{ LANG: 'en_US.UTF-8', TZ: ':UTC', PATH: '/usr/bin:/bin' },
      ...{ AWS_LAMBDA_RUNTIME_API: api.address, LAMBDA_TASK_ROOT: folder, _HANDLER: handler },
      ...{ AWS_LAMBDA_FUNCTION_NAME: 'token-rotator', AWS_LAMBDA_FUNCTION_VERSION: '$LATEST' },
      ...{ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512', AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' },
      ...{ AWS_LAMBDA_LOG_GROUP_NAME: '/token-rotator', AWS_LAMBDA_LOG_STREAM_NAME: 'stream' },
      ...{ AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand', AWS_LAMBDA_LOG_FORMAT: 'JSON' },
      ...{ AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_SESSION_TOKEN: 'test' },
      ...environment,
    },
    cwd: folder,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      printed += chunk
    })
  }
  let alive = true
  const exited = once(child, 'close').then(([status]): Ended => {
    alive = false
    return { kind: 'exited', status }
  })
  const end = async () => {
    child.kill('SIGKILL')
    await exited
  }
  const isFrozen = () => /^State:\s+T/m.test(statusOf(child.pid))
  const freeze = async () => {
    child.kill('SIGSTOP')
    while (alive && !isFrozen()) await nextTurn()
  }

  const first = await Promise.race([told, exited])
  const initMilliseconds =
    first.kind === 'ready' ? Math.round(performance.now() - startedAt) : undefined
  if (first.kind === 'ready') await freeze()

  async function invoke(event: unknown, options: InvokeOptions = {}): Promise<Ended> {
    if (first.kind !== 'ready') {
      await end()
      return first as Ended
    }
    const { timeoutSeconds = 300, timeOut } = options
    told = next()
    child.kill('SIGCONT')
    const requestId = randomUUID()
    api.give({ requestId, event, deadline: new Date(Date.now() + timeoutSeconds * 1000) })
    const over = overWhen(timeOut)
    const heard = await Promise.race([told, exited, over])
    if (heard.kind === 'timed-out') await end()
    if (heard.kind !== 'response' && heard.kind !== 'error') return heard as Ended
    if ('requestId' in heard && heard.requestId !== requestId)
      throw new Error('an answer to another invocation')
    // It is frozen once it asks for more.
    told = next()
    await Promise.race([told, exited])
    await freeze()
    return heard
  }

  return {
    initMilliseconds,
    invoke,
    isAlive: () => alive,
    isFrozen,
    peakMemoryKib: () => Number(/^VmHWM:\s+(\d+) kB/m.exec(statusOf(child.pid))?.[1]),
    output: () => printed,
    async close() {
      await end()
      await api.close()
    },
  }
}

/** Node's own permissions: its files can be read, and nothing else; nothing written, nothing started. */
function fence(folder: string): string[] {
  const readable = ['--permission', `--allow-fs-read=${folder}/*`]
  if (client === ownClient) return [...readable, `--allow-fs-read=${client}`]
  return [...readable, `--allow-fs-read=${dirname(dirname(client))}/*`, '--allow-addons']
}

function overWhen(signal: AbortSignal | undefined): Promise<Ended> {
  return new Promise((resolve) => {
    signal?.addEventListener('abort', () => resolve({ kind: 'timed-out' }), { once: true })
  })
}

function statusOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8')
}
