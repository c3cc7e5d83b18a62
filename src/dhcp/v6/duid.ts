import type { Host } from "../../host/host.ts";
import { Writer } from "../../netlink/codec.ts";
import { type AttachmentId, attachmentName } from "../protocol.ts";

/** By what servers know a client, and the addresses that they gave it (RFC 8415, sections 11 and 12). */
export interface Identity {
  readonly duid: Uint8Array;
  /** 32 bits. */
  readonly iaid: number;
}

/** DUID-UUID (RFC 6355). */
const DUID_UUID = 4;
const UUID_SIZE = 16;

/**
 * The same for the same attachment, whichever daemon asks: a container that is made anew under its name has its address
 * again. The UUID is one of version 8 (RFC 9562, section 5.8), from the hash of the name.
 */
export function identityOf(host: Host, id: AttachmentId): Identity {
  const digest = host.sys.sha512(host.encode(attachmentName(id)));
  const uuid = digest.slice(0, UUID_SIZE);
  uuid[6] = 0x80 | (uuid[6]! & 0x0f);
  uuid[8] = 0x80 | (uuid[8]! & 0x3f);
  const duid = new Writer(2 + UUID_SIZE).be16(DUID_UUID).raw(uuid).finish();
  const iaid = new DataView(digest.buffer, digest.byteOffset).getUint32(UUID_SIZE);
  return { duid, iaid };
}
