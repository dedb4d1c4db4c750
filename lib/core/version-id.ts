import { parse, v5 as uuidV5 } from 'uuid'

// Any fixed namespace serves; a constant of our own keeps the ids apart from other uuid5 users.
const namespace = parse('6f1d3c52-8a0e-4f0b-9d0e-6a7c1f4b2e90')

/**
 * The id of the one version that may follow `versionId`. Secrets Manager refuses other content under
 * an id that is taken, so each version has at most one successor, and a run that starts after a crash
 * finds it without knowing who wrote it.
 */
export function successorId(versionId: string): string {
  return uuidV5(Buffer.from(`successor:${versionId}`), namespace)
}

/** The id under which the consumer document of an enrollment version is published: repeating is a no-op. */
export function publicationId(versionId: string): string {
  return uuidV5(Buffer.from(`publication:${versionId}`), namespace)
}
