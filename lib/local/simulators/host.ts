import { randomBytes } from 'node:crypto'
import { createAuthority } from '../certificate.ts'
import { answerControl, isControl } from './controls.ts'
import { createFaults, standingFault } from './faults.ts'
import { type Reply, type Request, serve } from './http-server.ts'
import { distort, intercept } from './network-faults.ts'
import { createRefreshChains } from './refresh-chains.ts'
import type { Bench, Call, Rules, ServerIdentity, Tally } from './rules.ts'
import type { Simulator, SimulatorKind, SimulatorOptions } from './simulator.ts'

/**
 * Puts a vendor's rules on a port of 127.0.0.1.
 *
 * @returns the running simulator, and the rules for what only this vendor can do
 * @throws {RangeError} a fault not in the catalogue, or a speed that is not above 0
 * @throws {Error} the port is taken
 */
export async function host<R extends Rules>(
  { id: vendor, faults: catalogue, operations }: Omit<SimulatorKind, 'start'>,
  makeRules: (bench: Bench) => R | Promise<R>,
  options: SimulatorOptions,
): Promise<{ simulator: Simulator; rules: R }> {
  const { port = 0, plain = false, speed = 1, random = randomBytes } = options
  const now = options.now ?? (() => new Date())
  if (!(speed > 0 && Number.isFinite(speed))) {
    throw new RangeError(`speed ${speed}: allowed is a number above 0`)
  }
  const faults = createFaults(catalogue, operations)
  if (options.fault !== undefined) faults.inject(standingFault(catalogue, options.fault))
  const calls: Record<string, number> = {}
  const tally = emptyTally()
  const chains = createRefreshChains()
  const lifetime = (seconds: number): number => Math.max(1, Math.round(seconds / speed))
  const rules = await makeRules({ tally, chains, now, random, lifetime })

  async function answerVendor(request: Request): Promise<Reply> {
    const endpoint = rules.route(request)
    calls[endpoint.name] = (calls[endpoint.name] ?? 0) + 1
    const call: Call = {
      request,
      now: now(),
      fault: (kind) => faults.strikes(kind, endpoint.operations),
    }
    return intercept(call, endpoint) ?? distort(call, await endpoint.answer(call))
  }

  const facts = {
    counters: () => ({ calls: { ...calls }, ...tally, sessionsAlive: rules.sessionsAlive(now()) }),
    chains: () => chains.list(now()),
    holds: (refreshToken: string) => chains.holds(refreshToken, now()),
    inject: faults.inject,
    clearFaults: faults.clear,
  }
  const identity = plain ? undefined : (rules.identity ?? (await serverIdentity(vendor)))
  const server = await serve(port, identity?.tls, (request) =>
    isControl(request) ? answerControl(request, facts, rules.controls) : answerVendor(request),
  )
  const simulator = {
    vendor,
    url: server.url,
    credential: rules.credential,
    ...(identity && { ca: identity.ca, pin: identity.pin }),
    ...facts,
    close: server.close,
  }
  return { simulator, rules }
}

async function serverIdentity(vendor: string): Promise<ServerIdentity> {
  // Peers check certificates with their own clocks, so never with a simulated one.
  const authority = await createAuthority(`token-rotator simulator of ${vendor}`, new Date())
  const { key, cert, fingerprint } = await authority.issue({
    usage: 'server',
    commonName: `simulated ${vendor}`,
  })
  return { tls: { key, cert }, ca: authority.ca, pin: `sha256/${fingerprint}` }
}

function emptyTally(): Tally {
  return {
    issued: 0,
    spends: 0,
    presentedTwice: 0,
    refusals: 0,
    passwordGrants: 0,
    revocations: 0,
    evictions: 0,
    authorized: 0,
    unauthorized: 0,
  }
}
