import { consumerSecretId, enrollmentSecretId } from '../../../lib/core/documents.ts'
import { enroll } from '../../../lib/core/enroll.ts'
import { mirrorName } from '../../../lib/core/publish.ts'
import { escrowName } from '../../../lib/core/read-held.ts'
import { tick } from '../../../lib/core/tick.ts'
import type { ContenderKind } from './contender.ts'

/** The shipped engine. */
export const ours: ContenderKind = {
  id: 'ours',
  title: 'token-rotator',
  // As the shipped clients are set.
  tries: 2,
  settle(site) {
    const { cloud, connection, vendor, newId } = site
    const enrollment = cloud.secret(enrollmentSecretId(connection.id))
    const consumer = cloud.secret(consumerSecretId(connection.id))
    let isAsked = false
    cloud.listener = ({ type }) => {
      if (type === 'Enrollment Required') isAsked = true
      if (type === 'Token Recovered') isAsked = false
    }
    return {
      async tick({ process, ports }) {
        const remainingSeconds = () => process.remainingSeconds()
        await tick({ vendor, connections: [connection], remainingSeconds, newRunId: newId }, ports)
      },
      async enroll(fields, { process, ports }) {
        const remainingSeconds = () => process.remainingSeconds()
        const run = { connection, vendor, runId: newId(), remainingSeconds }
        if ((await enroll(run, fields, newId(), ports)) !== 'enrolled') return false
        isAsked = false
        return true
      },
      dueAt: () => cloud.items.get(connection.id)?.dueAt.getTime() ?? 0,
      served: () => {
        const texts = [
          consumer.read(undefined, site.timeline.now())?.text,
          cloud.parameters.get(mirrorName(connection.id)),
        ]
        const documents = texts.flatMap((text) => (text === undefined ? [] : [JSON.parse(text)]))
        documents.sort((one, other) => other.issued_at.localeCompare(one.issued_at))
        return documents[0]?.access_token
      },
      stored: () => [
        ...[...enrollment.versions.values()].map(({ text }) => text),
        cloud.parameters.get(escrowName(connection.id)) ?? '',
      ],
      asks: () => isAsked,
    }
  },
}
