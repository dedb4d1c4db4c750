import { createRequire } from 'node:module'
import { DataFolderError } from './state-file.ts'

/**
 * Takes the place of the package `level` where the command is bundled: LevelDB is native code, which no
 * bundle can hold, and only a kept state needs it.
 */
export class Level {
  /** @throws {DataFolderError} the package is not installed */
  constructor(...given: readonly unknown[]) {
    const { ClassicLevel } = load()
    // biome-ignore lint/correctness/noConstructorReturn: a stand-in hands over to the real thing
    return new ClassicLevel(...given)
  }
}

function load(): { ClassicLevel: new (...given: readonly unknown[]) => Level } {
  try {
    return createRequire(import.meta.url)('classic-level')
  } catch (error) {
    throw new DataFolderError(
      'keeping state takes the package classic-level, which is not installed: npm install classic-level',
      { cause: error },
    )
  }
}
