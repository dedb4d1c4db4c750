// What the package gives to a CDK app.
export type { ConnectionProps } from '../core/connection.ts'
export { ConfigError } from '../core/errors.ts'
export { RotatorStack } from './rotator-stack.ts'
export { TokenRotator, type TokenRotatorProps } from './token-rotator.ts'
