import type { Vendor, VendorTable } from '../core/vendor.ts'
import { ciscoFtd } from './cisco-ftd.ts'
import { kasperskyMdr } from './kaspersky-mdr.ts'
import { oauth2 } from './oauth2.ts'

function byId(...all: readonly Vendor[]): VendorTable {
  return Object.fromEntries(all.map((vendor) => [vendor.id, vendor]))
}

/** Every vendor that is known. A new one is one file and one word here. */
export const vendors: VendorTable = byId(kasperskyMdr, ciscoFtd, oauth2)
