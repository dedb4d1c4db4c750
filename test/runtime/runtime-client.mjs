// Stands in for AWS's runtime interface client (`aws-lambda-ric`): it asks the Runtime API for work, hands
// it to the handler and posts what comes back. AWS's own has a native part that has to be compiled at
// installation; TOKEN_ROTATOR_RUNTIME_CLIENT names the path of one that has been, to be used instead.
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER } = process.env
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** A call to the Runtime API. The next invocation may be long in coming: nothing times out. */
function call(method, path, json) {
  const url = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent }, async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      resolve({ headers: response.headers, text })
    })
    sent.once('error', reject)
    sent.end(json === undefined ? undefined : JSON.stringify(json))
  })
}

const described = (error) => ({
  errorType: error?.name,
  errorMessage: error?.message,
  trace: String(error?.stack).split('\n'),
})

async function load() {
  const [file, name] = _HANDLER.split('.')
  const module = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href)
  return module[name]
}

const handler = await load().catch(async (error) => {
  await call('POST', 'init/error', described(error))
  process.exit(1)
})
for (;;) {
  const { headers, text } = await call('GET', 'invocation/next')
  const id = headers['lambda-runtime-aws-request-id']
  const deadline = Number(headers['lambda-runtime-deadline-ms'])
  const context = {
    awsRequestId: id,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  }
  try {
    const answer = await handler(JSON.parse(text), context)
    await call('POST', `invocation/${id}/response`, answer)
  } catch (error) {
    await call('POST', `invocation/${id}/error`, described(error))
  }
}
