import { Ip } from "../../address/ip.ts";
import type { Host } from "../../host/host.ts";
import { type AttachmentId, attachmentName, type Wish } from "../protocol.ts";
import { encodeMessage } from "./message.ts";
import { MessageType, Option } from "./options.ts";
import type { Channel } from "./transport.ts";

const ANY = new Ip(new Uint8Array(4));
/** What servers may use without asking (RFC 2132, section 9.10), and what fits into a frame of Ethernet. */
const MIN_MESSAGE = 576;
const MAX_MESSAGE = 1500;
/** An option has 255 bytes at most, and the first says of what kind the identifier is. */
const MAX_NAME = 254;

/** A message from the client, as far as it is not the same in all. */
export interface ClientMessage {
  /** A MessageType. */
  readonly type: number;
  readonly xid: number;
  /** Since the client began, in seconds. */
  readonly secs: number;
  /** The address that the interface has. */
  readonly own?: Ip | undefined;
  /** The address that is wanted, or declined. */
  readonly requested?: Ip | undefined;
  /** The server that is meant. */
  readonly server?: Ip | undefined;
}

/** The bytes of a message. What is in it and what is not: RFC 2131, section 4.4.1, table 5. */
export function encodeClientMessage(
  { host, id, wish }: { host: Host; id: AttachmentId; wish: Wish },
  { mac, mtu, sharesMac }: Pick<Channel, "mac" | "mtu" | "sharesMac">,
  { type, xid, secs, own, requested, server }: ClientMessage,
): Uint8Array {
  const options = new Map<number, Uint8Array>();
  const wishes = type === MessageType.Discover || type === MessageType.Request;
  const provided = wish.provide.filter(([code]) => wishes || code === Option.ClientId);
  options.set(Option.MessageType, new Uint8Array([type]));
  options.set(Option.ClientId, clientId(host, id));
  if (wishes) {
    const size = Math.max(MIN_MESSAGE, Math.min(MAX_MESSAGE, mtu));
    options.set(Option.MaxMessageSize, new Uint8Array([size >> 8, size]));
    if (wish.request.length > 0) options.set(Option.ParameterRequestList, new Uint8Array(wish.request));
  }
  for (const [code, value] of provided) options.set(code, host.encode(value));
  options.set(Option.MessageType, new Uint8Array([type]));
  if (requested) options.set(Option.RequestedAddress, requested.bytes);
  if (server) options.set(Option.ServerId, server.bytes);
  return encodeMessage({
    op: 1,
    xid,
    secs: Math.min(0xffff, secs),
    // A server answers an address that the interface has (RFC 2131, section 4.1).
    broadcast: wishes && own === undefined && (wish.broadcast || sharesMac),
    ciaddr: own ?? ANY,
    yiaddr: ANY,
    siaddr: ANY,
    giaddr: ANY,
    chaddr: mac.bytes,
    options,
  });
}

/** Kind 0, which is no hardware address (RFC 2132, section 9.14), and the attachment's name, or what fits of it. */
function clientId(host: Host, id: AttachmentId): Uint8Array {
  const name = host.encode(attachmentName(id)).subarray(0, MAX_NAME);
  const identifier = new Uint8Array(1 + name.length);
  identifier.set(name, 1);
  return identifier;
}
