import { createHandler } from '../../lib/aws/handler.ts'
import type { Outcome } from '../../lib/core/release.ts'
import type { Timings } from '../../lib/core/renewal.ts'
import { vendors } from '../../lib/vendors/index.ts'

/**
 * The shipped functions, as they are found in this process's environment.
 *
 * @returns invokes every vendor's function once, each with that many seconds to live
 */
export function createTicks(
  vendorIds: readonly string[],
  timings: Timings,
  functionSeconds: number,
) {
  const handlers = vendorIds.flatMap((id) => {
    const vendor = vendors[id]
    return vendor === undefined ? [] : [createHandler(vendor, timings)]
  })
  return async (): Promise<Outcome[]> => {
    const end = Date.now() + functionSeconds * 1000
    const context = { getRemainingTimeInMillis: () => end - Date.now() }
    // An invocation that fails as a whole is repeated by the next tick, as Lambda's would be.
    const invoke = (handler: (typeof handlers)[number]) =>
      handler({}, context).then(
        ({ outcomes }) => outcomes,
        () => [],
      )
    return (await Promise.all(handlers.map(invoke))).flat()
  }
}
