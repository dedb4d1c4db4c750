import { defineCommand } from 'citty'
import type { LedgerItem } from '../core/ledger.ts'
import { operate, operatorArguments } from './operator.ts'

/** Where every connection stands, from the ledger; needs no access to any secret. */
export const statusCommand = defineCommand({
  meta: { name: 'status', description: 'where every connection stands' },
  args: {
    ...operatorArguments,
    json: { type: 'boolean', default: false, description: 'the ledger items as JSON' },
  },
  run: ({ args }) =>
    operate(args, async ({ ports, connections }) => {
      const items = await Promise.all(
        connections.map(async ({ id, vendor }) => ({
          id,
          vendor,
          item: await ports.ledger.read(vendor, id),
        })),
      )
      if (args.json) {
        process.stdout.write(
          `${JSON.stringify(
            items.map(({ item }) => item ?? null),
            null,
            2,
          )}\n`,
        )
        return 0
      }
      for (const { id, vendor, item } of items) {
        process.stdout.write(`${id} (${vendor}): ${describe(item, ports.clock.now())}\n`)
      }
      return items.some(({ item }) => item?.incident !== undefined) ? 1 : 0
    }),
})

function describe(item: LedgerItem | undefined, now: Date): string {
  if (item === undefined) return 'not seen by any tick yet'
  const { published, incident, history, rotations, dueAt, standing, takingOver } = item
  const last = history.at(-1)
  return [
    incident === undefined ? 'well' : `needs a person: ${incident.told.join(', ')}`,
    published === undefined
      ? 'nothing published yet'
      : published.expiresAt === null
        ? `published session, last sign of life at ${(item.aliveAt ?? published.issuedAt).toISOString()}`
        : `published token ${published.expiresAt > now ? 'until' : 'expired at'} ${published.expiresAt.toISOString()}`,
    `${rotations} rotations`,
    last === undefined ? 'no run yet' : `last run ${last.outcome} at ${last.at.toISOString()}`,
    `due ${dueAt.toISOString()}`,
    ...(standing === undefined ? [] : [`at work: ${standing.region}, epoch ${standing.epoch}`]),
    ...(takingOver === undefined ? [] : [told(takingOver)]),
  ].join('; ')
}

function told({ settled, without }: NonNullable<LedgerItem['takingOver']>): string {
  if (!settled) return 'take-over not yet settled'
  return `goes on without ${without.join(', ')}, which has not been reached yet`
}
