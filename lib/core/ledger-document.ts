import * as v from 'valibot'
import { StoreError } from './errors.ts'
import { causes } from './incident.ts'
import type { LedgerItem } from './ledger.ts'

const Instant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((text) => new Date(text)),
)
const Facts = v.record(v.string(), v.string())
const Cause = v.picklist(causes)
const standing = { epoch: v.number(), region: v.string() }

const Item = v.object({
  vendor: v.string(),
  connection: v.string(),
  revision: v.number(),
  writer: v.string(),
  fence: v.number(),
  knownFrom: v.exactOptional(v.number()),
  dueAt: Instant,
  lease: v.exactOptional(v.object({ runId: v.string(), expiresAt: Instant })),
  intent: v.exactOptional(
    v.object({
      grant: v.string(),
      token: v.string(),
      versionId: v.string(),
      at: Instant,
      kind: v.picklist(['first', 'probe']),
      refused: v.boolean(),
      active: v.exactOptional(v.boolean()),
      fence: v.exactOptional(v.number()),
    }),
  ),
  spent: v.array(v.string()),
  refused: v.array(v.object({ grant: v.string(), credentialId: v.string() })),
  versionId: v.exactOptional(v.string()),
  enrolled: v.exactOptional(v.string()),
  published: v.exactOptional(
    v.object({
      versionId: v.string(),
      as: v.exactOptional(v.string()),
      issuedAt: Instant,
      expiresAt: v.nullable(Instant),
      held: v.boolean(),
      where: v.picklist(['secret', 'mirror']),
      proven: v.boolean(),
    }),
  ),
  rejected: v.exactOptional(v.string()),
  refreshExpiresAt: v.exactOptional(Instant),
  aliveAt: v.exactOptional(Instant),
  retireAt: v.exactOptional(Instant),
  requested: v.exactOptional(v.boolean()),
  ordered: v.exactOptional(v.object({ versionId: v.string(), fence: v.number() })),
  attempts: v.number(),
  rotations: v.number(),
  enrollmentWrites: v.array(Instant),
  consumerWrites: v.array(Instant),
  incident: v.exactOptional(
    v.object({
      id: v.string(),
      openedAt: Instant,
      told: v.array(Cause),
      enrollments: v.exactOptional(v.number()),
    }),
  ),
  // Not in items of the first days.
  incidents: v.optional(v.number(), 0),
  facts: Facts,
  standing: v.exactOptional(v.object(standing)),
  heard: v.exactOptional(
    v.object({
      ...standing,
      fence: v.number(),
      token: v.string(),
      kind: v.picklist(['first', 'probe']),
      until: Instant,
    }),
  ),
  takingOver: v.exactOptional(
    v.object({
      from: v.exactOptional(v.object(standing)),
      without: v.array(v.string()),
      settled: v.boolean(),
    }),
  ),
  certificates: v.exactOptional(v.array(v.object({ name: v.string(), notAfter: Instant }))),
  history: v.array(v.object({ at: Instant, outcome: v.string(), cause: v.exactOptional(Cause) })),
})

/** The item as plain JSON: instants in ISO 8601, nothing undefined. */
export function encodeLedgerItem(item: LedgerItem): Record<string, unknown> {
  return JSON.parse(JSON.stringify(item)) as Record<string, unknown>
}

/** @throws {StoreError} somebody has edited the item into another shape; names the field */
export function decodeLedgerItem(json: unknown): LedgerItem {
  const decoded = v.safeParse(Item, json)
  if (decoded.success) return decoded.output
  const field = v.getDotPath(decoded.issues[0]) ?? 'item'
  throw new StoreError(
    `the ledger item has the wrong shape at ${field}; delete the item, it is made anew`,
    'denied',
  )
}
