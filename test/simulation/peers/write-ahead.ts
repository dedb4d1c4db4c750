import type { Enrollment } from '../../../lib/core/documents.ts'
import type { HttpAnswer, TokenSet, Vendor } from '../../../lib/core/vendor.ts'
import type { ContenderKind, Hands } from './contender.ts'
import { ExpiringLock } from './lock.ts'
import {
  enrollInto,
  following,
  isDue,
  obtain,
  secretFromOutside,
  secretKeeper,
  usualTries,
} from './usual.ts'

/** One answer of the vendor as it came. */
interface Entry {
  /** The version whose refresh token was sent. */
  readonly basedOn: string
  readonly at: Date
  readonly answer: HttpAnswer
}

/**
 * Whatever the vendor answers is appended to a log before anybody looks at it; an invocation that finds
 * an answer to the version in force replays it instead of asking anew. Runs exclude each other by a lock
 * longer than any of them. Found where people have lost a pair before: ledgers of payments, brokers of tokens.
 */
export const writeAhead: ContenderKind = {
  id: 'writeAhead',
  title: 'write-ahead of the raw answer',
  tries: usualTries,
  settle(site) {
    const log: Entry[] = []
    const lock = new ExpiringLock(site, { seconds: 330, isOwnerChecked: true })
    const fromOutside = secretFromOutside(site)

    /** The vendor, its answers logged on their way. */
    function logging(held: Enrollment, { process, ports }: Hands): Vendor {
      return {
        ...site.vendor,
        connect: (connection, credential, http) =>
          site.vendor.connect(connection, credential, {
            ...http,
            async request(request) {
              const at = ports.clock.now()
              const answer = await http.request(request)
              if (request.method === 'GET') return answer
              const entry = { basedOn: held.versionId, at, answer }
              const append = () => process.store('parameters', 'log.append', () => log.push(entry))
              // The secret may take it all the same.
              await append().catch(() => undefined)
              return answer
            },
          }),
      }
    }

    /** What an earlier run was told, as if it were told now. */
    async function replayed(held: Enrollment, hands: Hands): Promise<TokenSet | undefined> {
      const { process, ports } = hands
      const entries = await process.store('parameters', 'log.read', () =>
        log.filter(({ basedOn }) => basedOn === held.versionId),
      )
      for (const { at, answer } of entries.toReversed()) {
        const again: Vendor = {
          ...site.vendor,
          connect: (connection, credential, http) =>
            site.vendor.connect(connection, credential, {
              ...http,
              request: async (request) =>
                request.method === 'GET' ? http.request(request) : answer,
            }),
        }
        const client = ports.connect(site.connection, again, held)
        const call = { now: at, timeoutSeconds: 30, known: {} }
        const tokens = await client.grants[0]?.request(held.tokens, call).catch(() => undefined)
        if (tokens !== undefined) return tokens
      }
      return undefined
    }

    return {
      ...fromOutside,
      stored: () => [...fromOutside.stored(), ...log.map(({ answer }) => answer.text)],
      async tick(hands) {
        await lock.around(hands, async () => {
          const keeper = secretKeeper(site, hands)
          const held = await keeper.read()
          if (held === undefined || !isDue(site, held.tokens, hands)) return
          const tokens =
            (await replayed(held, hands)) ??
            (await obtain(site, hands, held, 'the version', logging(held, hands)))
          if (tokens !== undefined) await keeper.write(following(site, held, tokens))
        })
      },
      enroll: (fields, hands) =>
        lock.around(hands, () => enrollInto(site, hands, secretKeeper(site, hands), fields)),
    }
  },
}
