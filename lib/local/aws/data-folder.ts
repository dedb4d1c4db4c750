import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { StateDocument } from './state.ts'
import {
  DataFolderError,
  type Durable,
  durableFile,
  notDurable,
  privateFolder,
  readJson,
} from './state-file.ts'

const noState: StateDocument = { schema: 1, secrets: [], parameters: [], events: [] }

const Occupant = v.object({ url: v.string(), instance: v.string() })

export interface DataFolder {
  readonly stored: StateDocument
  /** Folder of the DynamoDB tables; undefined: in memory. */
  readonly tables: string | undefined
  readonly durable: (state: () => StateDocument) => Durable
  /** Marks the folder as taken by the endpoint that answers there, and frees it again. */
  readonly occupy: (url: string, instance: string) => Promise<void>
  readonly leave: () => Promise<void>
}

/** No folder: everything is gone when the process ends. */
export const memory: DataFolder = {
  stored: noState,
  tables: undefined,
  durable: () => notDurable,
  occupy: async () => {},
  leave: async () => {},
}

/**
 * A folder that state is kept in: `state.json` (secrets in clear, mode 0600), `tables/` (LevelDB) and
 * `occupant.json`, which tells who is using it.
 *
 * @throws {DataFolderError} not a folder, not writable, not readable, or in use
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  await privateFolder(path)
  const occupant = join(path, 'occupant.json')
  await refuseIfInUse(path, await readJson(occupant))
  const file = join(path, 'state.json')
  const read = v.safeParse(StateDocument, (await readJson(file)) ?? noState)
  if (!read.success) {
    throw new DataFolderError(`'${file}' is not a state that this version can read`)
  }
  const tables = join(path, 'tables')
  await privateFolder(tables)
  return {
    stored: read.output,
    tables,
    durable: (state) => durableFile(file, state),
    async occupy(url, instance) {
      await rm(occupant, { force: true })
      await writeFile(occupant, JSON.stringify({ url, instance }), { mode: 0o600 })
    },
    leave: () => rm(occupant, { force: true }),
  }
}

/**
 * Two endpoints on one folder would lose each other's writes. The mark of one that was killed stays
 * behind, so what counts is whether the one that left it still answers.
 */
async function refuseIfInUse(path: string, mark: unknown): Promise<void> {
  const occupant = v.safeParse(Occupant, mark)
  if (!occupant.success) return
  const { url, instance } = occupant.output
  try {
    const answer = await fetch(`${url}/_local/health`, { signal: AbortSignal.timeout(2000) })
    const health = v.safeParse(v.object({ instance: v.literal(instance) }), await answer.json())
    if (!health.success) return
  } catch {
    return
  }
  throw new DataFolderError(`'${path}' is in use by the endpoint at ${url}`)
}
