import * as v from 'valibot'

const Instant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((iso) => new Date(iso)),
)

const Tag = v.object({ Key: v.string(), Value: v.string() })

const SecretVersion = v.object({
  id: v.string(),
  createdAt: Instant,
  labels: v.pipe(v.array(v.string()), v.readonly()),
  /** The value itself; binary as base64. Absent: a rotation has registered the version and not filled it yet. */
  content: v.optional(
    v.union([v.object({ string: v.string() }), v.object({ binary: v.string() })]),
  ),
  lastAccessedOn: v.optional(Instant),
  kmsKeyId: v.optional(v.string()),
})

const RotationRules = v.object({
  AutomaticallyAfterDays: v.optional(v.number()),
  Duration: v.optional(v.string()),
  ScheduleExpression: v.optional(v.string()),
})

const Rotation = v.object({
  enabled: v.boolean(),
  lambdaArn: v.string(),
  rules: v.optional(RotationRules),
  lastRotatedAt: v.optional(Instant),
})

const Secret = v.object({
  name: v.string(),
  arn: v.string(),
  createdAt: Instant,
  lastChangedAt: Instant,
  description: v.optional(v.string()),
  kmsKeyId: v.optional(v.string()),
  tags: v.optional(v.pipe(v.array(Tag), v.readonly())),
  lastAccessedOn: v.optional(Instant),
  deletion: v.optional(v.object({ markedAt: Instant, dueAt: Instant })),
  /** The region that this is a replica of. */
  primaryRegion: v.optional(v.string()),
  /** Regions with replicas of this; `overwrites`: whatever stands there gives way. */
  replicas: v.optional(
    v.pipe(v.array(v.object({ region: v.string(), overwrites: v.boolean() })), v.readonly()),
  ),
  /** As it was last configured; absent if it never was. */
  rotation: v.optional(Rotation),
  /** Oldest first. */
  versions: v.pipe(v.array(SecretVersion), v.readonly()),
})

const Parameter = v.object({
  name: v.string(),
  type: v.picklist(['String', 'StringList', 'SecureString']),
  tier: v.picklist(['Standard', 'Advanced']),
  description: v.optional(v.string()),
  keyId: v.optional(v.string()),
  tags: v.optional(v.pipe(v.array(Tag), v.readonly())),
  /** Oldest first; numbers rise by one and never start again while the parameter exists. */
  versions: v.pipe(
    v.array(v.object({ number: v.number(), value: v.string(), modifiedAt: Instant })),
    v.readonly(),
  ),
})

const StoredEvent = v.object({
  version: v.literal('0'),
  id: v.string(),
  'detail-type': v.string(),
  source: v.string(),
  account: v.string(),
  time: v.string(),
  region: v.string(),
  resources: v.pipe(v.array(v.string()), v.readonly()),
  detail: v.unknown(),
  eventBusName: v.string(),
})

/** The state file. A file of another schema number is refused, not guessed at. */
export const StateDocument = v.object({
  schema: v.literal(1),
  secrets: v.array(Secret),
  parameters: v.array(Parameter),
  events: v.array(StoredEvent),
})

export type Tag = Readonly<v.InferOutput<typeof Tag>>
export type SecretVersion = Readonly<v.InferOutput<typeof SecretVersion>>
export type SecretContent = NonNullable<SecretVersion['content']>
export type RotationRules = Readonly<v.InferOutput<typeof RotationRules>>
export type Secret = Readonly<v.InferOutput<typeof Secret>>
export type Parameter = Readonly<v.InferOutput<typeof Parameter>>
/** An event in the shape in which a rule's target would receive it, and the bus it was put on. */
export type StoredEvent = Readonly<v.InferOutput<typeof StoredEvent>>
export type StateDocument = v.InferOutput<typeof StateDocument>
