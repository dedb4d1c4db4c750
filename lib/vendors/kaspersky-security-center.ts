import * as v from 'valibot'
import { oncePerConnection, VendorOrigin } from '../core/connection.ts'
import { ConfigError, VerifyFailedError } from '../core/errors.ts'
import type { Redacted } from '../core/redacted.ts'
import type { Call, HttpAnswer, TokenSet, Vendor, Verified } from '../core/vendor.ts'
import { createLogin, Domain, decodeAccount, stepOf } from './kaspersky-security-center-login.ts'
import {
  asSession,
  createRpc,
  failure,
  isBusy,
  isError,
  methods,
  nameOf,
  type Params,
  type PxgError,
  tagged,
  valueIn,
} from './kaspersky-security-center-rpc.ts'

/** Idle life of a session, by a client's README; the vendor's own pages are silent. */
const idleSeconds = 180

const hopForms = 'allowed is {"secondaryServer": <its id>} or {"agent": "<host id>"}'
const SecondaryServer = v.strictObject({
  /** `KLSRVH_SRV_ID` of `ServerHierarchy.GetChildServers`; a 32-bit integer. */
  secondaryServer: v.pipe(
    v.number(),
    v.integer(hopForms),
    v.minValue(0, hopForms),
    v.maxValue(2 ** 31 - 1, hopForms),
  ),
})
const Agent = v.strictObject({
  /** `KLHST_WKS_HOSTNAME` of the host, an id and not its network name. */
  agent: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,256}$/, hopForms)),
})
const Hop = v.union([SecondaryServer, Agent], hopForms)
type Hop = v.InferOutput<typeof Hop>

const Options = v.strictObject({
  /** Address of the primary server's Open API with its port, 13299 by default. */
  url: v.pipe(
    VendorOrigin,
    v.regex(
      /:\d+\/?$/,
      'allowed is an address with the port of the Open API, e.g. https://ksc.example.com:13299',
    ),
    v.regex(
      /^(?!.*:8080\/?$)/,
      'allowed is the port of the Open API, 13299 by default; 8080 is that of the Web Console and of hosted products, which take no Open API logins',
    ),
    v.regex(
      /^(?!.*[/.]kaspersky\.(com|ru)\.?:)/i,
      'allowed is a server of your own; the hosted consoles of Kaspersky take no Open API logins',
    ),
  ),
  /** The account is one of Security Center itself; so by default, unless a domain is given. */
  internal: v.optional(v.boolean()),
  /** Windows domain of the account; may be enrolled instead. */
  domain: v.optional(Domain),
  /** Name of a virtual server to log in to. */
  virtualServer: v.optional(v.pipe(v.string(), v.nonEmpty('allowed is the name of the server'))),
  /**
   * The way from the primary server to the target, outermost hop first; without it the primary is
   * the target. Each hop is asked of the one before; behind an agent there is nothing.
   */
  path: v.optional(
    v.pipe(
      v.array(Hop),
      v.maxLength(8, 'allowed are 8 hops at most'),
      v.check(
        (path) => path.slice(0, -1).every((hop) => 'secondaryServer' in hop),
        'allowed is an agent as the last hop only',
      ),
    ),
    [],
  ),
})
const optionsOf = oncePerConnection(({ options }) => v.parse(Options, options))

/**
 * Kaspersky Security Center, the Open API of an Administration Server. Nothing lasts here: a login
 * gives a session that idles out within minutes, so it is kept alive, and replaced when it dies.
 *
 *     KSCBasic ─► [ KSCMFA ─► ] session ─► target, if it is the primary server itself
 *                                  └─ locations of the hops ─► one-time key ─► KSCGW ─► target
 *
 * The key is asked of the primary and spent there, for any depth; the location of a deeper hop is
 * asked over a session that reaches just before it. Every session but the target's is ended in the run.
 *
 * Ten wrong passwords lock the account for an hour, so a refused login is never repeated with the
 * same credential. A refused gateway key (60 s, one use) is no refusal of the login.
 *
 * Not documented, and how it is met: the idle time (a ping at every tick leaves two more tries), the
 * status of a refused login (401, 403 and the documented text all count), whether a ping restarts the
 * idle time (if it did not, each session would be replaced when it dies), whether an agent answers
 * one (if it did not, no session to an agent could be proven).
 *
 * @see https://support.kaspersky.com/help/KSC/15.1/KSCAPI/index.html
 * @see https://support.kaspersky.com/help/KSC/15/KSCAPI/a00476.html gateway connections
 */
export const kasperskySecurityCenter: Vendor = {
  id: 'kaspersky-security-center',
  title: 'Kaspersky Security Center',
  options: Options,
  credentialFields: ['username', 'password', 'totpSecret', 'domain', 'internal'],
  spends: () => 'nothing',
  idleSeconds,
  enrollmentSteps: [
    'open the console of Kaspersky Security Center, section Users & roles, and check that the account exists and is not locked: ten wrong passwords lock it for an hour, and only a new password unlocks it earlier',
    'exempt the account from two-step verification, or have its secret key (the seed beside the QR code) at hand',
  ],
  url: (connection) => new URL(optionsOf(connection).url).origin,
  accessLifetimeSeconds: () => idleSeconds,

  connect(connection, credential, http) {
    const { url, virtualServer, path, ...configured } = optionsOf(connection)
    const { origin, host } = new URL(url)
    const rpc = createRpc(http, origin)
    const account = decodeAccount(credential, configured)
    const logIn = createLogin(rpc, account, virtualServer)

    /** Best effort: what cannot be ended idles out. */
    const end = async (session: Redacted, call: Call) => {
      await rpc(methods.endSession, {}, asSession(session), call).catch(() => undefined)
    }

    /** Runs a session of the primary that reaches as far as these locations say. */
    const open = async (locations: readonly Params[], primary: Redacted, call: Call) => {
      const pLocations = locations.map((location) => tagged('params', location))
      const prepared = await rpc(methods.prepareGateway, { pLocations }, asSession(primary), call)
      const key = valueIn(prepared, methods.prepareGateway.name)
      const headers = { authorization: `KSCGW ${key.reveal()}` }
      return valueIn(await rpc(methods.startSession, {}, headers, call), 'the gateway login')
    }

    /** Where each hop of the path is found, outermost first; every hop is asked of the one before. */
    const locate = async (
      depth: number,
      primary: Redacted,
      call: Call,
    ): Promise<readonly Params[]> => {
      const hop = path[depth - 1]
      if (hop === undefined) return []
      const outer = await locate(depth - 1, primary, call)
      const asked = outer.length === 0 ? primary : await open(outer, primary, call)
      try {
        return [...outer, await locationOf(hop, depth - 1, asked, call)]
      } finally {
        if (asked !== primary) await end(asked, call)
      }
    }

    const locationOf = async (hop: Hop, index: number, asked: Redacted, call: Call) => {
      const isServer = 'secondaryServer' in hop
      const result = isServer
        ? await rpc(
            methods.secondaryServerLocation,
            { nSlaveServerId: hop.secondaryServer },
            asSession(asked),
            call,
          )
        : await rpc(methods.agentLocation, { wsHostName: hop.agent }, asSession(asked), call)
      const what = isServer ? `secondaryServer ${hop.secondaryServer}` : `agent ${hop.agent}`
      if (result.is === 'failed' && isLost(result.error)) {
        throw new ConfigError(
          `path[${index}]`,
          `found ${what}, which the server before it does not know or does not let this account reach (${nameOf(result.error)})`,
        )
      }
      return valueIn(result, `the location of ${what}`)
    }

    /** Asks a session for a sign of life. @returns undefined if it is dead */
    const ping = async ({ accessToken }: TokenSet, call: Call): Promise<Verified | undefined> => {
      const result = await rpc(methods.ping, {}, asSession(accessToken), call)
      if (result.is === 'done') return certificate(host, result.answer)
      if (result.is === 'failed' && isBusy(result.error))
        throw failure(result.error, 'Session.Ping')
      return undefined
    }

    return {
      grants: [
        {
          name: 'start_session',
          spends: 'nothing',
          usable: () => true,
          announces(call): Record<string, string> {
            const totpStep = stepOf(account, call)
            return totpStep === undefined ? {} : { totpStep }
          },
          async request(_held, call) {
            const primary = await logIn(call)
            const issued = {
              tokenType: 'X-KSC-Session',
              issuedAt: call.now,
              expiresAt: null,
              grant: 'start_session',
            }
            if (path.length === 0) return { ...issued, accessToken: primary }
            try {
              const locations = await locate(path.length, primary, call)
              return { ...issued, accessToken: await open(locations, primary, call) }
            } finally {
              await end(primary, call)
            }
          },
        },
      ],
      headers: ({ accessToken }) => asSession(accessToken),
      async verify(tokens, call) {
        const sign = await ping(tokens, call)
        if (sign !== undefined) return sign
        throw new VerifyFailedError('Session.Ping refused the new session', true)
      },
      keepAlive: ping,
      async revoke(superseded, held, call) {
        for (const { accessToken } of superseded) {
          if (accessToken.reveal() !== held.accessToken.reveal()) await end(accessToken, call)
        }
      },
      close: http.close,
    }
  },
}

/** Not found, access denied, not permitted: the path is not one that this account can go. */
function isLost(error: PxgError): boolean {
  return ['KLSTD 1186', 'KLSTD 1184', 'KLSTD 1193'].some((known) => isError(error, known))
}

/** Security Center switches to its reserve certificate by itself, a day before the other one ends. */
function certificate(host: string, { peerNotAfter }: HttpAnswer): Verified {
  if (peerNotAfter === undefined) return {}
  return { certificates: [{ name: `server certificate of ${host}`, notAfter: peerNotAfter }] }
}
