import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { eventSource } from '../../lib/core/events.ts'
import { newCredential } from './console.ts'
import type { Member, Scene } from './scene.ts'
import type { Witness } from './witness.ts'

/** How it went for one connection. */
export interface Story {
  /** Whether its fault has struck, and a workload is let in by the vendor again. */
  readonly isFresh: boolean
  /** What a person was told, in order. */
  readonly told: readonly string[]
  /** Why a person had to enroll, once for each time. */
  readonly enrollments: readonly ReturnType<Witness['verdict']>[]
  /** Used-up tokens that the vendor was given again: deliberately, as the design allows, and otherwise. */
  readonly probes: number
  readonly doubleSpends: number
  /** Whether the newest pair that any store acknowledged is what is held. */
  readonly holdsNewest: boolean
}

const Told = v.object({ connection: v.string(), cause: v.optional(v.string()) })

/**
 * Ticks until each connection has met its fault and is fresh again, enrolling anew where a person is
 * told to. A connection that is well before its fault has struck is asked to rotate.
 *
 * @param ticks one invocation of every function
 * @param rounds after which what is not fresh is given up
 */
export async function play(
  scene: Scene,
  ticks: () => Promise<unknown>,
  hasStruck: (id: string) => boolean,
  rounds: number,
): Promise<Map<string, Story>> {
  const enrollments = new Map<string, ReturnType<Witness['verdict']>[]>()
  const open = new Set(scene.members)
  scene.arm()
  for (let round = 0; open.size > 0 && round < rounds; round++) {
    await ticks()
    for (const member of open) {
      const state = await stateOf(scene, member)
      if (state === 'stuck') {
        const verdict = await verdictOf(scene, member)
        // Refused while a run is at work: tried again in the next round.
        if (await scene.enroll(member, await newCredential(member))) {
          enrollments.set(member.id, [...(enrollments.get(member.id) ?? []), verdict])
        }
      } else if (state === 'well' && !hasStruck(member.id)) {
        await scene.rotateNow(member)
      } else if (state === 'well' && (await scene.isFresh(member))) {
        open.delete(member)
      }
    }
    await sleep(50)
  }
  scene.disarm()
  const events = scene.endpoint
    .events()
    .flatMap(({ source, detail }) => (source === eventSource ? [v.parse(Told, detail)] : []))
  const stories = scene.members.map(async (member): Promise<[string, Story]> => {
    const { id, witness } = member
    const newest = witness.newest()
    const story = {
      isFresh: !open.has(member),
      told: events.flatMap(({ connection, cause }) => (connection === id && cause ? [cause] : [])),
      enrollments: enrollments.get(id) ?? [],
      ...witness.counts,
      holdsNewest: newest === undefined || (await scene.held(member)).includes(newest),
    }
    return [id, story]
  })
  return new Map(await Promise.all(stories))
}

/** `stuck`: only a person can go on. `well`: published, and nothing is open. */
export async function stateOf(scene: Scene, member: Member): Promise<'stuck' | 'well' | 'open'> {
  const item = await scene.item(member)
  if (item === undefined || (item.lease && item.lease.expiresAt > new Date())) return 'open'
  const { published, incident, intent, requested, history } = item
  // Told once in an incident, however often it comes to that; and not what follows an enrollment.
  const isBlocked = history.at(-1)?.outcome === 'blocked'
  const mayRepeat = intent?.kind === 'first' && !intent.refused
  const isTold = incident?.told.includes('enrollment-required') === true
  if (isTold && isBlocked && !mayRepeat) return 'stuck'
  const isWell = published?.proven === true && published.where === 'secret' && !requested
  return isWell && incident === undefined && intent === undefined ? 'well' : 'open'
}

/** Why a person is needed at a connection that is stuck; `lost` is what must not be. */
export async function verdictOf(
  scene: Scene,
  { demo, witness, ...member }: Member,
): Promise<ReturnType<Witness['verdict']>> {
  // Another grant was at hand.
  if (!demo.enroll.includes('refreshToken')) return 'lost'
  const verdict = witness.verdict()
  const item = await scene.item({ demo, witness, ...member })
  // Given up as the design has it: announced a second time, and no answer to that either.
  return verdict === 'never-arrived' && item?.intent?.kind !== 'probe' ? 'lost' : verdict
}
