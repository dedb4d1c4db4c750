import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import * as v from 'valibot'

const PackageJson = v.object({
  name: v.string(),
  version: v.string(),
  /** A string; an object in packages of old. */
  license: v.union([
    v.string(),
    v.pipe(
      v.object({ type: v.string() }),
      v.transform(({ type }) => type),
    ),
  ]),
})

const folder = 'node_modules/'
const licenceFile = /^(licen[cs]e|copying)([.-]|$)/i

/**
 * The licences of everything that was bundled, which ask to be handed on with it.
 *
 * @param root folder to which the paths of the metafiles are relative
 * @throws {ValiError} a bundled package names no licence
 */
export function thirdPartyLicences(root: string, metafiles: readonly Metafile[]): string {
  const packages = new Set(
    metafiles.flatMap(({ inputs }) => Object.keys(inputs)).flatMap((path) => packageOf(path) ?? []),
  )
  return [...packages]
    .map((path) => licenceOf(join(root, path)))
    .sort()
    .join(`\n\n${'-'.repeat(80)}\n\n`)
}

/** `a/node_modules/@b/c/d.js` → `a/node_modules/@b/c` */
function packageOf(path: string): string | undefined {
  const start = path.lastIndexOf(folder)
  if (start === -1) return undefined
  const names = path.slice(start + folder.length).split('/')
  const name = names.slice(0, names[0]?.startsWith('@') ? 2 : 1).join('/')
  return path.slice(0, start + folder.length) + name
}

function licenceOf(path: string): string {
  const { name, version, license } = v.parse(
    PackageJson,
    JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')),
  )
  const file = readdirSync(path).find((found) => licenceFile.test(found))
  const text = file === undefined ? '' : `\n\n${readFileSync(join(path, file), 'utf8').trim()}`
  return `${name} ${version} (${license})${text}`
}
