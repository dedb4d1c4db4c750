import { createHash } from 'node:crypto'
import { AwsError } from './aws-error.ts'
import { decode } from './input.ts'
import type { Operation } from './operation.ts'
import { page } from './paging.ts'
import {
  DeleteParameter,
  GetParameter,
  GetParameters,
  GetParametersByPath,
  invalid,
  PutParameter,
  tierOf,
} from './parameter-input.ts'
import type { Parameter } from './state.ts'
import { epochSeconds, type Surroundings } from './surroundings.ts'

/** Versions kept per parameter; the oldest go first. */
const versionsKept = 100

/**
 * The operations of Parameter Store that hold values.
 *
 * @param stored what a state file held
 * @param changed told after every change, so that it can be made durable
 */
export function createParameterStore(
  stored: readonly Parameter[],
  { now, region, accountId }: Surroundings,
  changed: () => void,
) {
  const parameters = new Map(stored.map((parameter) => [parameter.name, parameter]))
  const arnOf = (name: string) =>
    `arn:aws:ssm:${region}:${accountId}:parameter/${name.replace(/^\//, '')}`

  function find(reference: string): { parameter: Parameter; selector: string | undefined } {
    const [name = '', selector] = reference.startsWith('arn:')
      ? reference.slice(reference.indexOf(':parameter/') + ':parameter'.length).split(':')
      : reference.split(':')
    // An ARN has one slash before the name, whether the name begins with one or not.
    const parameter = parameters.get(name) ?? parameters.get(name.replace(/^\//, ''))
    if (parameter === undefined || (name === reference && parameter.name !== name)) {
      throw new AwsError('ParameterNotFound', `Parameter ${reference} not found.`)
    }
    return { parameter, selector }
  }

  function read(reference: string, decrypted: boolean): object {
    const { parameter, selector } = find(reference)
    const version =
      selector === undefined
        ? parameter.versions.at(-1)
        : parameter.versions.find(({ number }) => String(number) === selector)
    if (version === undefined) {
      throw new AwsError(
        'ParameterVersionNotFound',
        `Systems Manager could not find version ${selector} of ${parameter.name}.`,
      )
    }
    const sealed = parameter.type === 'SecureString' && !decrypted
    return {
      Name: parameter.name,
      Type: parameter.type,
      Value: sealed ? ciphertext(`${parameter.name}:${version.number}`) : version.value,
      Version: version.number,
      ...(selector === undefined ? {} : { Selector: `:${selector}` }),
      LastModifiedDate: epochSeconds(version.modifiedAt),
      ARN: arnOf(parameter.name),
      DataType: 'text',
    }
  }

  const operations: Record<string, Operation> = {
    PutParameter(request) {
      const input = decode(PutParameter, request)
      const existing = parameters.get(input.Name)
      if (existing !== undefined && !input.Overwrite) {
        throw new AwsError(
          'ParameterAlreadyExists',
          'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
        )
      }
      if (input.Overwrite && input.Tags !== undefined) {
        throw invalid(
          "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        )
      }
      const type = input.Type ?? existing?.type
      if (type === undefined) {
        throw invalid('A parameter type is required when you create a parameter.')
      }
      if (existing !== undefined && existing.type !== type) {
        throw new AwsError(
          'HierarchyTypeMismatchException',
          `The parameter type can't be changed from ${existing.type} to ${type}.`,
        )
      }
      const number = (existing?.versions.at(-1)?.number ?? 0) + 1
      const version = { number, value: input.Value, modifiedAt: now() }
      const tier = tierOf(input.Tier, existing, Buffer.byteLength(input.Value))
      parameters.set(input.Name, {
        name: input.Name,
        type,
        tier,
        description: input.Description ?? existing?.description,
        keyId: type === 'SecureString' ? (input.KeyId ?? existing?.keyId) : undefined,
        tags: input.Tags ?? existing?.tags,
        versions: [...(existing?.versions ?? []), version].slice(-versionsKept),
      })
      changed()
      return { Version: number, Tier: tier }
    },

    GetParameter(request) {
      const input = decode(GetParameter, request)
      return { Parameter: read(input.Name, input.WithDecryption) }
    },

    GetParameters(request) {
      const { Names, WithDecryption: decrypted } = decode(GetParameters, request)
      const answers = Names.map((name) => ({ name, found: readOrUndefined(name, decrypted) }))
      return {
        Parameters: answers.flatMap(({ found }) => found ?? []),
        InvalidParameters: answers.filter(({ found }) => !found).map(({ name }) => name),
      }
    },

    GetParametersByPath(request) {
      const input = decode(GetParametersByPath, request)
      if (!input.Path.startsWith('/')) {
        throw invalid('The parameter path must begin with a slash.')
      }
      const folder = input.Path.endsWith('/') ? input.Path : `${input.Path}/`
      const names = [...parameters.keys()]
        .filter((name) => name.startsWith(folder))
        .filter((name) => input.Recursive || !name.slice(folder.length).includes('/'))
        .sort()
      const { items, nextToken } = page(
        names,
        input.MaxResults,
        input.NextToken,
        'InvalidNextToken',
      )
      return {
        Parameters: items.map((name) => read(name, input.WithDecryption)),
        NextToken: nextToken,
      }
    },

    DeleteParameter(request) {
      const { parameter } = find(decode(DeleteParameter, request).Name)
      parameters.delete(parameter.name)
      changed()
      return {}
    },
  }

  function readOrUndefined(reference: string, decrypted: boolean): object | undefined {
    try {
      return read(reference, decrypted)
    } catch (error) {
      if (error instanceof AwsError) return undefined
      throw error
    }
  }

  return { operations, all: (): readonly Parameter[] => [...parameters.values()] }
}

/** Looks like what KMS gives back, is the same for the same version, and tells nothing of the value. */
function ciphertext(of: string): string {
  const body = ['a', 'b', 'c'].map((part) =>
    createHash('sha256')
      .update(part + of)
      .digest(),
  )
  return `AQICAH${Buffer.concat(body).toString('base64')}`
}
