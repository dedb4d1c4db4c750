import { decodeEnrollment, enrollmentSecretId } from './documents.ts'
import { ConfigError } from './errors.ts'
import { enrolledDuring } from './incident.ts'
import { openLedger } from './lease.ts'
import { type LedgerItem, released } from './ledger.ts'
import { untilRunEnds } from './persist.ts'
import { escrowName } from './read-held.ts'
import type { Ports, Run } from './run.ts'

/**
 * Stores a first or a new credential and makes the connection due. It takes the same lease as a run,
 * so that nothing is enrolled under the hands of one.
 *
 * @param fields the credential fields of the vendor, flat; stored as the vendor prepares them
 * @param versionId id of the new version: unique, 32 to 64 characters
 * @returns `lease-held` if a run is at work: try again in a minute
 * @throws {ConfigError} an unknown field or one of the wrong shape, by name
 * @throws {StoreError}
 */
export async function enroll(
  run: Run,
  fields: Readonly<Record<string, unknown>>,
  versionId: string,
  ports: Ports,
): Promise<'enrolled' | 'lease-held'> {
  const { connection, vendor } = run
  refuseUnknown(vendor, fields)
  const prepared = (await vendor.prepare?.(fields)) ?? fields
  await refuseUnusable(run, decodeEnrollment(JSON.stringify(prepared), versionId), ports)
  const ledger = await openLedger(run, ports)
  if (ledger === undefined) return 'lease-held'
  const version = { versionId, text: JSON.stringify({ ...prepared, ...stated(ledger.item) }) }
  const secretId = enrollmentSecretId(connection.id)
  try {
    await untilRunEnds(() => ports.secrets.put(secretId, version, 'current'), { ports, ledger })
  } catch (error) {
    // A lease that outlives its command would keep the next ticks away.
    await ledger.commit(({ lease: _, ...rest }) => rest).catch(() => undefined)
    throw error
  }
  // What waits there is older than what was enrolled, and gives way to it. A failure here that failed the
  // enrollment would have it repeated, with another version each time, until Secrets Manager takes no more.
  await ports.parameters.remove(escrowName(connection.id)).catch(() => undefined)
  const now = ports.clock.now()
  const end = { now, dueAt: now, outcome: `enrolled ${vendor.id}`, failed: false }
  const enrolled = (item: LedgerItem) => ({
    ...released(forgotten(item), end),
    enrolled: versionId,
    requested: true,
  })
  await untilRunEnds(() => ledger.commit(enrolled), { ports, ledger })
  return 'enrolled'
}

/**
 * Asks for a renewal at the next tick although none is due.
 *
 * @returns `lease-held` if a run is at work, `unknown` if the ledger has no such connection yet
 * @throws {StoreError}
 */
export async function requestRotation(
  run: Run,
  ports: Ports,
): Promise<'requested' | 'lease-held' | 'unknown'> {
  const known = await ports.ledger.read(run.connection.vendor, run.connection.id)
  if (known === undefined) return 'unknown'
  const ledger = await openLedger(run, ports)
  if (ledger === undefined) return 'lease-held'
  const now = ports.clock.now()
  const end = { now, dueAt: now, outcome: 'requested', failed: false }
  const requested = (item: LedgerItem) => ({
    ...released(item, end),
    // Looks after a take-over are counted by it: asking begins none anew.
    ...(item.takingOver === undefined ? {} : { attempts: item.attempts }),
    requested: true,
  })
  await untilRunEnds(() => ledger.commit(requested), { ports, ledger })
  return 'requested'
}

/** Which region is at work stands in every document, so that it is known should the ledger be lost. */
function stated({ standing }: LedgerItem): { epoch?: number; home?: string } {
  if (standing === undefined || standing.epoch === 0) return {}
  return { epoch: standing.epoch, home: standing.region }
}

function refuseUnknown(vendor: Run['vendor'], fields: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(fields).find((field) => !vendor.credentialFields.includes(field))
  if (unknown !== undefined) {
    throw new ConfigError(
      unknown,
      `is not a credential of ${vendor.id}; allowed are ${vendor.credentialFields.join(', ')}`,
    )
  }
}

async function refuseUnusable(
  { connection, vendor }: Run,
  enrollment: ReturnType<typeof decodeEnrollment>,
  ports: Ports,
): Promise<void> {
  const client = ports.connect(connection, vendor, enrollment)
  await client.close()
  if (!client.grants.some((grant) => grant.usable(enrollment.tokens, ports.clock.now()))) {
    throw new ConfigError(
      'credential',
      `is not enough for any grant; ${vendor.id} takes ${vendor.credentialFields.join(', ')}`,
    )
  }
}

/** What was known of the former credential counts no more; what was sent and written stays on record. */
function forgotten(item: LedgerItem): LedgerItem {
  const {
    intent: _,
    versionId: __,
    rejected: ___,
    retireAt: ____,
    refreshExpiresAt: _____,
    ...rest
  } = item
  const { incident } = rest
  return {
    ...rest,
    refused: [],
    ...(incident === undefined ? {} : { incident: enrolledDuring(incident) }),
  }
}
