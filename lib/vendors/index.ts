import type { Vendor, VendorTable } from '../core/vendor.ts'
import { ciscoFtd } from './cisco-ftd.ts'
import { code42Incydr } from './code42-incydr.ts'
import { kasperskyMdr } from './kaspersky-mdr.ts'
import { kasperskySecurityCenter } from './kaspersky-security-center.ts'
import { kicsForNetworks } from './kics-for-networks.ts'
import { oauth2 } from './oauth2.ts'

function byId(...all: readonly Vendor[]): VendorTable {
  return Object.fromEntries(all.map((vendor) => [vendor.id, vendor]))
}

/** Every vendor that is known. A new one is one file and one word here. */
export const vendors: VendorTable = byId(
  kasperskyMdr,
  ciscoFtd,
  code42Incydr,
  kicsForNetworks,
  kasperskySecurityCenter,
  oauth2,
)
