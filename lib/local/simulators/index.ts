import { ciscoFtd } from './cisco-ftd.ts'
import { kasperskyMdr } from './kaspersky-mdr.ts'
import { kicsForNetworks } from './kics-for-networks.ts'

/** Every vendor that can be simulated, by its id. A new one is a file and a row. */
export const simulators = {
  'kaspersky-mdr': kasperskyMdr,
  'cisco-ftd': ciscoFtd,
  'kics-for-networks': kicsForNetworks,
} as const
