import { decodeEnrollment, encodeEnrollment } from '../../../lib/core/documents.ts'
import { StoreError } from '../../../lib/core/errors.ts'
import type { ContenderKind, Hands } from './contender.ts'
import { enrollInto, type Keeper, outside, renew, usualTries } from './usual.ts'
import type { WatchedProcess } from './watched-process.ts'

/**
 * The tokens are a row of a database. A transaction locks the row, asks the vendor while it holds it
 * and commits; if its process ends, the connection breaks, and the database rolls back and unlocks. So
 * no two runs ever meet, but nothing says afterwards that a token was sent. Found in web applications
 * that keep the tokens of their users beside their other data. Readers read the committed row.
 */
export const rowLock: ContenderKind = {
  id: 'rowLock',
  title: 'row lock, no intent record',
  tries: usualTries,
  settle(site) {
    let row: { readonly versionId: string; readonly text: string } | undefined
    let holder: WatchedProcess | undefined
    const { connection, vendor } = site

    async function inTransaction(hands: Hands, work: (row: Keeper) => Promise<void>) {
      const { process } = hands
      const statement = <R>(name: string, effect: () => R) => process.store('ledger', name, effect)
      const isLocked = await statement('row.lock', () => {
        if (holder !== undefined && holder !== process && !holder.isGone()) return false
        // A statement that was under way when its connection closed locks nothing.
        if (!process.isOver) holder = process
        return true
      })
      if (!isLocked) return false
      const rowKeeper: Keeper = {
        read: () =>
          statement('row.read', () =>
            row === undefined ? undefined : decodeEnrollment(row.text, row.versionId),
          ),
        async write(document) {
          const { versionId } = document
          const text = encodeEnrollment(document, { connection: connection.id, vendor: vendor.id })
          await statement('row.commit', () => {
            if (row?.versionId === versionId) return
            if (holder !== process) throw new StoreError('the transaction is over', 'denied')
            row = { versionId, text }
          })
        },
      }
      try {
        await work(rowKeeper)
      } finally {
        // The connection closes with the transaction, whether or not the database is spoken to.
        if (holder === process) holder = undefined
      }
      return true
    }

    return {
      ...outside(site, () => row),
      stored: () => (row === undefined ? [] : [row.text]),
      async tick(hands) {
        await inTransaction(hands, (keeper) => renew(site, hands, keeper))
      },
      enroll: (fields, hands) =>
        inTransaction(hands, (keeper) => enrollInto(site, hands, keeper, fields)),
    }
  },
}
