type Json = Readonly<Record<string, unknown>>

const list = (name: string, type: string): Json => ({ name, in: 'query', type, required: false })
const objId: Json = { name: 'objId', in: 'path', type: 'string', required: true }
const body: Json = {
  name: 'body',
  in: 'body',
  required: true,
  schema: { $ref: '#/definitions/NetworkObject' },
}
const network: Json = { $ref: '#/definitions/NetworkObject' }

function operation(operationId: string, parameters: readonly Json[], schema?: Json): Json {
  return {
    tags: ['NetworkObject'],
    operationId,
    parameters,
    responses: schema
      ? { '200': { description: '', schema } }
      : { '204': { description: 'No content' } },
  }
}

const text: Json = { type: 'string' }
const link: Json = { $ref: '#/definitions/LinksWrapper' }

/**
 * `GET /apispec/ngfw.json`: Swagger 2.0 for the objects served here, named as in the device's file.
 * The Ansible collection builds its whole list of operations from it: every path needs its
 * `operationId`, `responses`, and parameters with name, in, type and required; every model that is
 * referred to needs its definition.
 *
 * @see https://github.com/ansible-collections/community.network plugins/module_utils/network/ftd/fdm_swagger_client.py
 */
export const apiSpec: Json = {
  swagger: '2.0',
  info: { title: 'Cisco Secure Firewall Device Manager REST API (simulated)', version: 'v6' },
  basePath: '/api/fdm/v6',
  consumes: ['application/json'],
  produces: ['application/json'],
  paths: {
    '/object/networks': {
      get: operation(
        'getNetworkObjectList',
        [
          list('offset', 'integer'),
          list('limit', 'integer'),
          list('sort', 'string'),
          list('filter', 'string'),
        ],
        {
          type: 'object',
          required: ['items', 'paging'],
          properties: {
            items: { type: 'array', items: network },
            paging: { $ref: '#/definitions/Paging' },
          },
        },
      ),
      post: operation('addNetworkObject', [body], network),
    },
    '/object/networks/{objId}': {
      get: operation('getNetworkObject', [objId], network),
      put: operation('editNetworkObject', [objId, body], network),
      delete: operation('deleteNetworkObject', [objId]),
    },
    '/operational/systeminfo/{objId}': {
      get: operation('getSystemInformation', [objId], {
        $ref: '#/definitions/SystemInformation',
      }),
    },
  },
  definitions: {
    NetworkObject: {
      type: 'object',
      required: ['name', 'subType', 'type', 'value'],
      properties: {
        ...{ version: text, name: text, description: text, value: text, id: text, type: text },
        subType: { type: 'string', enum: ['HOST', 'NETWORK', 'RANGE', 'FQDN'] },
        dnsResolution: { type: 'string', enum: ['IPV4_ONLY', 'IPV6_ONLY', 'IPV4_AND_IPV6'] },
        isSystemDefined: { type: 'boolean' },
        links: link,
      },
    },
    SystemInformation: {
      type: 'object',
      required: ['type'],
      properties: {
        ...{ id: text, type: text, hostname: text, platformModel: text, softwareVersion: text },
        serialNumber: text,
        databaseInfo: { $ref: '#/definitions/DatabaseInfo' },
        links: link,
      },
    },
    DatabaseInfo: { type: 'object', properties: { buildVersion: text, type: text } },
    LinksWrapper: { type: 'object', properties: { self: text } },
    Paging: {
      type: 'object',
      properties: {
        prev: { type: 'array', items: text },
        next: { type: 'array', items: text },
        limit: { type: 'integer' },
        offset: { type: 'integer' },
        count: { type: 'integer' },
        pages: { type: 'integer' },
      },
    },
  },
}
