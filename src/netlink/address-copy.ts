import { IFA_F_NODAD, IFA_F_TENTATIVE, type LinkAddress, listAddresses } from "./address.ts";
import { Reader, Writer } from "./codec.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Request } from "./message.ts";

/** Addresses that come back as they were: what the kernel tells of one becomes the request to add it. */

const RTM_NEWADDR = 20;
const IFA_FLAGS = 8;
/** sizeof(struct ifaddrmsg). */
const HEADER = 8;

/** An address, and the message that told of it. */
export interface WholeAddress extends LinkAddress {
  readonly message: Uint8Array;
}

/** As `listAddresses`, for addresses that are to be copied. */
export function listWholeAddresses(filter: Parameters<typeof listAddresses>[0]): Dump<WholeAddress> {
  const dump = listAddresses(filter);
  const decode = (message: Uint8Array, type: number) => {
    const address = dump.decode(message, type);
    return address && { ...address, message };
  };
  return { ...dump, decode };
}

/** Adds the address again, with lifetime, metric and flags; what was usable is usable at once. */
export function copyAddress({ message, cidr, flags }: WholeAddress): Request {
  const body = new Writer(message.length + 8).raw(message.subarray(0, HEADER));
  for (const [type, { bytes }] of new Reader(message).attributeList(HEADER))
    if (type !== IFA_FLAGS) body.bytesAttribute(type, bytes);
  // The kernel drops flags that tell of a state.
  body.u32Attribute(IFA_FLAGS, flags & IFA_F_TENTATIVE ? flags : flags | IFA_F_NODAD);
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: body.finish(),
    what: `add address ${cidr} again`,
  };
}
