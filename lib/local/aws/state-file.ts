import { access, constants, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The folder for the state cannot be used; the message says which and why, in one line. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
}

export interface Durable {
  /** Tells that there is something to save. */
  changed(): void
  /** Resolves when everything that had changed is on disk; at once if nothing had. */
  saved(): Promise<void>
}

/** For state that lives in memory only. */
export const notDurable: Durable = { changed() {}, saved: async () => {} }

/**
 * Saves a document over and over. Each save writes a whole new file and puts it in the place of the
 * old one, so that a process killed at any moment leaves either the old document or the new one.
 * Changes that come while a save is under way are saved together by the next.
 *
 * @param document gives what is to be saved, as of now
 */
export function durableFile(path: string, document: () => unknown): Durable {
  let dirty = false
  let saving: Promise<void> | undefined

  async function saveUntilClean(): Promise<void> {
    while (dirty) {
      dirty = false
      try {
        await replaceFile(path, JSON.stringify(document()))
      } catch (error) {
        dirty = true
        throw error
      }
    }
  }

  return {
    changed() {
      dirty = true
    },
    async saved() {
      // A change may come between the end of a save and its being noticed here: hence the loop.
      while (dirty || saving !== undefined) {
        saving ??= saveUntilClean().finally(() => {
          saving = undefined
        })
        await saving
      }
    },
  }
}

/** Readable by its owner only, complete or absent, and there after a power cut once this resolves. */
async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  // The name, too, is only safe once its folder is.
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * The JSON of a file, or undefined if there is none yet.
 *
 * @throws {DataFolderError} not JSON; the parser's own message would quote the secrets in it
 */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new DataFolderError(`'${path}' cannot be read (${codeOf(error) ?? 'not JSON'})`)
  }
}

/**
 * Makes a folder that only its owner may look into. An existing one keeps its mode.
 *
 * @throws {DataFolderError}
 */
export async function privateFolder(path: string): Promise<void> {
  try {
    await makeFolder(path)
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new DataFolderError(`'${path}' is not a folder that can be written to (${codeOf(error)})`)
  }
}

/** Node's own recursive mkdir never returns where a folder exists but takes none, as /proc does. */
async function makeFolder(path: string, parentIsThere = false): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (codeOf(error) !== 'ENOENT' || parentIsThere) throw error
    await makeFolder(dirname(path))
    await makeFolder(path, true)
  }
}

/** The system's code of an error, such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
