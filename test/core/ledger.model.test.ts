import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Decision, decide } from '../../lib/core/decide.ts'
import {
  acquired,
  declared,
  distrusted,
  fingerprint,
  isLeased,
  type LedgerItem,
  newItem,
  refusedIntent,
  released,
  settled,
  stillActive,
  withdrawn,
} from '../../lib/core/ledger.ts'
import { decodeLedgerItem, encodeLedgerItem } from '../../lib/core/ledger-document.ts'
import { Redacted } from '../../lib/core/redacted.ts'
import { defaultTimings } from '../../lib/core/renewal.ts'
import type { Grant } from '../../lib/core/vendor.ts'

const t0 = new Date('2026-01-01T00:00:00Z')
const connection = { id: 'any-1' }
const owner = { vendor: 'any', connection: connection.id }
const tokens = ['refresh-token-a', 'refresh-token-b', 'refresh-token-c'] as const
type Token = (typeof tokens)[number]

const refresh: Grant = {
  name: 'refresh_token',
  spends: 'refresh-token',
  usable: (held) => held.refreshToken !== undefined,
  request: () => Promise.reject(new Error('nobody is asked')),
}

/** What the vendor's side would say of the ledger. */
interface Model {
  fence: number
  /** Tokens that may have reached the vendor, and did not come back from it. */
  sent: ReadonlySet<Token>
  /** The announcement that is still open, and what the vendor has said of its token since. */
  open: { token: Token; kind: 'first' | 'probe'; refused: boolean; active: boolean } | undefined
  attempts: number
  outcomes: number
}
/** The item, through its stored form after every step. */
interface Real {
  item: LedgerItem
  now: Date
}

/** What the engine would do with this token if it were held, long after whatever was sent. */
function wouldDo({ item, now }: Real, token: Token): Decision {
  return decide({
    connection,
    grants: [refresh],
    held: {
      versionId: 'version-1',
      credential: {},
      credentialId: 'version-0',
      tokens: { refreshToken: new Redacted(token) },
      superseded: [],
    },
    item,
    now: new Date(now.getTime() + 86_400_000),
    forced: true,
    canIntrospect: false,
    timings: defaultTimings,
  })
}

/** A transition, as it is stored and read back, and what must hold after any of them. */
function step(real: Real, model: Model, change: (item: LedgerItem) => LedgerItem) {
  const before = real.item.fence
  const stored = encodeLedgerItem(change(real.item))
  real.now = new Date(real.now.getTime() + 1000)
  real.item = decodeLedgerItem(stored)
  expect(real.item.fence).toBe(model.fence)
  expect(real.item.fence).toBeGreaterThanOrEqual(before)
  expect(real.item.attempts).toBe(model.attempts)
  expect(real.item.history).toHaveLength(Math.min(model.outcomes, 10))
  const text = JSON.stringify(stored)
  for (const token of tokens) {
    expect(text).not.toContain(token)
    const decision = wouldDo(real, token)
    const isOpen = model.open?.token === token && !model.open.refused
    const mayProbe = isOpen && model.open?.kind === 'first'
    const isActive = isOpen && model.open?.active === true
    if (!model.sent.has(token) || isActive)
      expect(decision).toMatchObject({ do: 'renew', probe: false })
    else if (mayProbe) expect(decision).toMatchObject({ do: 'renew', probe: true })
    else expect(decision).toMatchObject({ do: 'blocked', cause: 'enrollment-required' })
  }
}

const intentOf = (token: Token, kind: 'first' | 'probe', at: Date) => ({
  grant: 'refresh_token',
  token: fingerprint(connection.id, new Redacted(token)),
  versionId: 'version-1',
  at,
  kind,
  refused: false,
})
const with_ = (set: ReadonlySet<Token>, token: Token) => new Set([...set, token])
const without = (set: ReadonlySet<Token>, token: Token | undefined) =>
  new Set([...set].filter((one) => one !== token))

type Step = fc.Command<Model, Real>
const token = fc.constantFrom(...tokens)
const kind = fc.constantFrom<'first' | 'probe'>('first', 'probe')
const always = () => true

const begins = fc.constant<Step>({
  check: always,
  run(model, real) {
    model.fence++
    const leaseUntil = new Date(real.now.getTime() + 60_000)
    step(real, model, (item) => acquired(item, { runId: 'run-1', leaseUntil }))
    expect(isLeased(real.item, new Date(leaseUntil.getTime() - 1))).toBe(true)
    expect(isLeased(real.item, leaseUntil)).toBe(false)
  },
  toString: () => 'acquired',
})
const sends = fc.tuple(token, kind).map<Step>(([token, kind]) => ({
  check: always,
  run(model, real) {
    model.open = { token, kind, refused: false, active: false }
    model.sent = with_(model.sent, token)
    step(real, model, (item) => declared(item, intentOf(token, kind, real.now)))
  },
  toString: () => `declared ${kind} ${token}`,
}))
const neverLeaves = fc.tuple(token, kind).map<Step>(([token, kind]) => ({
  check: always,
  run(model, real) {
    const before = real.item
    step(real, model, (item) => withdrawn(declared(item, intentOf(token, kind, real.now)), before))
  },
  toString: () => `declared and withdrawn ${kind} ${token}`,
}))
const isRefused = fc.constant<Step>({
  check: always,
  run(model, real) {
    if (model.open) model.open = { ...model.open, refused: true }
    step(real, model, refusedIntent)
  },
  toString: () => 'refusedIntent',
})
const isActive = fc.constant<Step>({
  check: always,
  run(model, real) {
    if (model.open) model.open = { ...model.open, active: true }
    step(real, model, stillActive)
  },
  toString: () => 'stillActive',
})
const brings = fc.option(token, { nil: undefined }).map<Step>((token) => ({
  check: always,
  run(model, real) {
    if (token !== undefined && model.open?.token === token) model.sent = without(model.sent, token)
    model.open = undefined
    const tokens = token === undefined ? {} : { refreshToken: new Redacted(token) }
    step(real, model, (item) => settled(item, { versionId: 'version-2', tokens }))
    expect(real.item.versionId).toBe('version-2')
  },
  toString: () => `settled ${token}`,
}))
const ends = fc.boolean().map<Step>((failed) => ({
  check: always,
  run(model, real) {
    model.attempts = failed ? model.attempts + 1 : 0
    model.outcomes++
    const end = { now: real.now, dueAt: real.now, outcome: `end ${model.outcomes}`, failed }
    step(real, model, (item) => released(item, end))
    expect(real.item.lease).toBeUndefined()
    expect(real.item.history.at(-1)?.outcome).toBe(end.outcome)
  },
  toString: () => `released ${failed}`,
}))
const isBehind = fc
  .tuple(fc.nat({ max: 3 }), fc.option(token, { nil: undefined }))
  .map<Step>(([ahead, token]) => ({
    check: always,
    run(model, real) {
      const held = {
        versionId: 'version-1',
        fence: model.fence + ahead,
        token: token && fingerprint(connection.id, new Redacted(token)),
      }
      model.fence = held.fence + 1
      if (token !== undefined) {
        model.open = { token, kind: 'first', refused: false, active: false }
        model.sent = with_(model.sent, token)
      }
      step(real, model, (item) => distrusted(item, held, real.now))
    },
    toString: () => `distrusted +${ahead} ${token}`,
  }))

test('whatever becomes of a ledger item, its fence never falls, it holds no token, and none that was sent is sent again but as the one probe, or because the vendor calls it active', () => {
  const steps = [begins, sends, neverLeaves, isRefused, isActive, brings, ends, isBehind]
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 40 }), (commands) => {
      fc.modelRun(
        () => ({
          model: { fence: 0, sent: new Set<Token>(), open: undefined, attempts: 0, outcomes: 0 },
          real: { item: newItem(owner, t0), now: t0 },
        }),
        commands,
      )
    }),
    { numRuns: 300, seed: 20260101 },
  )
})
