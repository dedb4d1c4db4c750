import { consumerSecretId, enrollmentSecretId } from '../../lib/core/documents.ts'
import { enroll, requestRotation } from '../../lib/core/enroll.ts'
import type { Ports } from '../../lib/core/run.ts'
import type { Chance } from './chance.ts'
import type { SimulatedCloud } from './cloud.ts'
import type { Judge } from './invariants.ts'
import type { Timeline } from './timeline.ts'
import type { PeopleAct } from './weather.ts'

/** What a person works with: their own command line, and the console. */
export interface Desk {
  readonly timeline: Timeline
  readonly cloud: SimulatedCloud
  readonly note: (who: string, what: string) => void
  /** A command's process. */
  readonly command: (name: string) => { ports: Ports; remainingSeconds: () => number }
  /** Made-up ids, each another one. */
  readonly newId: () => string
}

const retryMs = 90_000
const patienceMs = 1_800_000

/** Enrolls what the vendor's console gives, again until it is done. */
export async function enrollAtLast(judge: Judge, desk: Desk): Promise<void> {
  const { connection, species, atTheConsole } = judge.subject
  // Not acknowledged, it may have been done all the same.
  judge.enrolled()
  const { vendor } = species
  const again = () =>
    desk.timeline.at(desk.timeline.now() + retryMs, () => void enrollAtLast(judge, desk))
  const { ports, remainingSeconds } = desk.command('a person enrolls')
  // A command that dies, or is not answered, is given again; whoever waits for it in vain does so too.
  let isOver = false
  desk.timeline.at(desk.timeline.now() + 120_000, () => {
    if (!isOver) again()
    isOver = true
  })
  const run = { connection, vendor, runId: desk.newId(), remainingSeconds }
  const result = await enroll(run, atTheConsole(), desk.newId(), ports).catch(() => 'failed')
  if (isOver) return
  isOver = true
  if (result !== 'enrolled') again()
}

/** Whoever mends an open incident by hand sees for themselves whether it is over. */
function lookAfter(judge: Judge, desk: Desk): void {
  desk.timeline.at(desk.timeline.now() + patienceMs, () => {
    if (judge.isHopeless()) void enrollAtLast(judge, desk)
    else if (!judge.isWell()) lookAfter(judge, desk)
  })
}

/** Does what people do who do not know what the rotator is about. */
export async function act(deed: PeopleAct, judge: Judge, desk: Desk, chance: Chance) {
  const { cloud, timeline, note } = desk
  const { connection, species } = judge.subject
  const now = timeline.now()
  const enrollment = cloud.secret(enrollmentSecretId(connection.id))
  note('a person', deed)
  switch (deed) {
    case 'enroll':
      return enrollAtLast(judge, desk)
    case 'rotate': {
      const { ports, remainingSeconds } = desk.command('a person asks for a rotation')
      const run = { connection, vendor: species.vendor, runId: desk.newId(), remainingSeconds }
      await requestRotation(run, ports).catch(() => undefined)
      return
    }
    case 'edit by hand': {
      const text = enrollment.read(undefined, now)?.text
      if (text === undefined) return
      const versionId = desk.newId()
      if (chance.happens(0.3)) {
        // A new credential, without a word to the rotator.
        judge.enrolled()
        const pasted = JSON.stringify(judge.subject.atTheConsole())
        enrollment.put({ versionId, text: pasted }, 'current', now)
        return lookAfter(judge, desk)
      }
      enrollment.put(
        { versionId, text: `${text.slice(0, -1)},"note":"${versionId}"}` },
        'current',
        now,
      )
      return judge.editedByHand(versionId)
    }
    case 'restore': {
      const ids = [...enrollment.versions.keys()].slice(-6)
      if (ids.length > 0) enrollment.label(chance.one(ids), now)
      return judge.restored()
    }
    case 'delete ledger item':
      cloud.items.delete(connection.id)
      return judge.ledgerItemDeleted()
    case 'overwrite consumer secret': {
      const consumer = cloud.secret(consumerSecretId(connection.id))
      const text = consumer.read(undefined, now)?.text
      if (text === undefined) return
      consumer.put({ versionId: desk.newId(), text: `${text} ` }, 'current', now)
    }
  }
}
