import { Stack } from 'aws-cdk-lib'
import { AccountPrincipal, AnyPrincipal, OrganizationPrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { describe, expect, test } from 'vitest'
import type { TokenRotatorProps } from '../../lib/cdk/token-rotator-props.ts'
import type { ConnectionProps } from '../../lib/core/connection.ts'
import { env, rotatorStack } from './synthesis.ts'

const mdr = { id: 'mdr-prod', vendor: 'kaspersky-mdr' }
const ftd = { id: 'ftd-hq', vendor: 'cisco-ftd', url: 'https://192.0.2.10' }
const untyped = (value: unknown) => value as ConnectionProps
const soc = {
  id: 'soc',
  vendor: 'oauth2',
  tokenEndpoint: 'https://login.example.com/token',
  grant: 'client_credentials',
}

describe('a mistake in the connections is refused in one line:', () => {
  test.each<[string, ConnectionProps[], RegExp]>([
    [
      'an unknown vendor',
      [mdr, { ...ftd, vendor: 'cisco-asa' }],
      /^connections\[1\]\.vendor: found 'cisco-asa'; allowed are kaspersky-mdr, cisco-ftd/,
    ],
    [
      'an id that stands twice',
      [mdr, mdr],
      /^connections: id 'mdr-prod' stands twice; allowed is one connection per id$/,
    ],
    [
      'an unknown option',
      [{ ...ftd, verifyTls: false }],
      /^connections\[0\]\.verifyTls: is not an option of this vendor; check its spelling/,
    ],
    [
      'an unknown option among those of TLS',
      [untyped({ ...ftd, tls: { insecure: true } })],
      /^connections\[0\]\.tls\.insecure: is not an option of this vendor/,
    ],
    [
      'an address without TLS',
      [{ ...ftd, url: 'http://192.0.2.10' }],
      /^connections\[0\]\.url: found "http:\/\/192\.0\.2\.10"; allowed is an https URL/,
    ],
    [
      'a device on site without a network',
      [mdr, { ...ftd, url: 'https://10.20.30.40' }],
      /^connections\[1\]\.url: found 10\.20\.30\.40, which only a private network reaches; give the construct the prop vpc/,
    ],
    [
      'a network that is not there',
      [{ ...ftd, network: 'vpc' as const }],
      /^connections\[0\]\.network: found vpc, but the construct has none; give it the prop vpc/,
    ],
    [
      'a renewal more often than every ten minutes',
      [{ ...ftd, renew: { everySeconds: 599 } }],
      /^connections\[0\]\.renew\.everySeconds: found 599; allowed is 600 or more/,
    ],
    [
      'a renewal that the versions kept do not allow',
      [mdr, { ...ftd, renew: { everySeconds: 600 } }],
      /^connections\[1\]\.renew\.everySeconds: found 600; allowed for cisco-ftd is 864 or more: this is 144 versions a day \(86400 \/ 600\)/,
    ],
    [
      'a token too short-lived for its renewals',
      [{ ...ftd, customToken: { desiredExpiresIn: 900, desiredRefreshExpiresIn: 1800 } }],
      /^connections\[0\]: found access tokens of 900 s, renewed every 600 s at the earliest; allowed for cisco-ftd is tokens of 1365 s or more/,
    ],
    [
      'a token whose margin leaves too little of its life',
      [{ ...soc, accessTokenLifetimeSeconds: 600 }],
      /^connections\[0\]: found access tokens of 600 s, renewed every 400 s; allowed are tokens of 900 s or more: a secret may be written once in 600 s, 144 versions a day \(86400 \/ 600\)$/,
    ],
    [
      'a refresh token that dies before its access token',
      [{ ...ftd, customToken: { desiredExpiresIn: 3600, desiredRefreshExpiresIn: 3600 } }],
      /^connections\[0\]\.customToken: found an object; allowed is a desiredRefreshExpiresIn that exceeds desiredExpiresIn/,
    ],
  ])('%s', (_what, mistaken, message) => {
    const synthesis = () => rotatorStack({ connections: mistaken })
    expect(synthesis).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }))
    expect(synthesis).toThrow(message)
    expect(synthesis).not.toThrow(/\n/)
  })

  test.each([
    ...['password', 'refresh_token', 'clientSecret', 'access-token', 'privateKey', 'pfxPassword'],
    ...['api_token', 'API-KEY', 'bearerToken', 'Authorization', 'passphrase', 'totp secret'],
  ])('a credential, which is not repeated: %s', (field) => {
    const synthesis = () => rotatorStack({ connections: [{ ...ftd, [field]: 'canary-4711' }] })
    expect(synthesis).toThrow(
      `connections[0].${field}: is a credential; credentials are enrolled, never configured: remove it and run token-rotator enroll`,
    )
    expect(synthesis).not.toThrow(/canary/)
  })

  test('a private key beside a certificate, which is not repeated', () => {
    const ca = '-----BEGIN CERTIFICATE-----\ncanary\n-----BEGIN PRIVATE KEY-----\ncanary-4711'
    const synthesis = () => rotatorStack({ connections: [{ ...ftd, tls: { ca } }] })
    expect(synthesis).toThrow(
      /^connections\[0\]\.tls\.ca: .*a private key is a credential, which is enrolled, never configured$/,
    )
    expect(synthesis).not.toThrow(/canary/)
  })
})

describe('a mistake in the props is refused in one line:', () => {
  const owner = new Stack(undefined, 'Owner', { env })
  const key = Key.fromKeyArn(
    owner,
    'Key',
    'arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000001',
  )
  const elsewhere = new AccountPrincipal('444455556666')

  test.each<[string, Partial<TokenRotatorProps>, RegExp]>([
    [
      'readers of a connection that there is not',
      { consumers: { 'ftd-hg': [elsewhere] } },
      /^consumers: found 'ftd-hg'; allowed are mdr-prod, ftd-hq, mdr-test$/,
    ],
    [
      'a reader in another account of a secret without a key of its own',
      { consumers: { 'ftd-hq': [elsewhere] } },
      /^consumers\.ftd-hq: found a reader in account 444455556666; allowed with encryptionKey.*: the key aws\/secretsmanager cannot be shared/,
    ],
    [
      'a reader in another account of a replica without one',
      {
        encryptionKey: key,
        replicaRegions: [{ region: 'eu-central-1' }],
        consumers: { 'ftd-hq': [elsewhere] },
      },
      /^consumers\.ftd-hq: found a reader in account 444455556666; allowed with .* a key for each of replicaRegions/,
    ],
    [
      'a reader of an organisation, of whose accounts most are others, of a secret without a key of its own',
      { consumers: { 'ftd-hq': [new OrganizationPrincipal('o-1234567890')] } },
      /^consumers\.ftd-hq: found a reader in accounts that are not named; allowed with encryptionKey/,
    ],
    [
      'everybody for a reader, with a key or without',
      { encryptionKey: key, consumers: { 'ftd-hq': [new AnyPrincipal()] } },
      /^consumers\.ftd-hq: found everybody; allowed are roles, accounts and organisations: the policy of a secret may never open it/,
    ],
    [
      'no connection at all',
      { connections: [] },
      /^connections: found none; allowed is one or more$/,
    ],
    [
      'a replica where the secrets are',
      { replicaRegions: [{ region: 'eu-west-1' }] },
      /^replicaRegions: found eu-west-1, where the secrets themselves are; allowed are other regions, each once$/,
    ],
    [
      'two replicas in one region',
      { replicaRegions: [{ region: 'eu-central-1' }, { region: 'eu-central-1' }] },
      /^replicaRegions: found eu-central-1 twice; allowed are other regions, each once$/,
    ],
    [
      'an escrow that fails with what it stands in for',
      { encryptionKey: key, escrowKey: key },
      /^escrowKey: found the key of the secrets; allowed is another/,
    ],
  ])('%s', (_what, props, message) => {
    const synthesis = () => rotatorStack(props)
    expect(synthesis).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }))
    expect(synthesis).toThrow(message)
    expect(synthesis).not.toThrow(/\n/)
  })
})
