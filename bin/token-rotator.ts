#!/usr/bin/env node
// Node 20 is supported to develop and try this; the SDK's reminder that it will not be in 2027 would
// otherwise stand in front of every command's output. Must be set before the SDK is loaded.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

const { main } = await import('../lib/cli/main.ts')
process.exitCode = await main(process.argv.slice(2))
