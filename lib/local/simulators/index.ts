import { ciscoFtd } from './cisco-ftd.ts'
import { code42Incydr } from './code42-incydr.ts'
import { kasperskyMdr } from './kaspersky-mdr.ts'
import { kasperskySecurityCenter } from './kaspersky-security-center.ts'
import { kicsForNetworks } from './kics-for-networks.ts'
import { oauth2 } from './oauth2.ts'

/** Every vendor that can be simulated, by its id. A new one is a file and a row. */
export const simulators = {
  'kaspersky-mdr': kasperskyMdr,
  'cisco-ftd': ciscoFtd,
  'kaspersky-security-center': kasperskySecurityCenter,
  'code42-incydr': code42Incydr,
  'kics-for-networks': kicsForNetworks,
  oauth2,
} as const
