import type { Host } from "../host/host.ts";
import type { ErrorObject } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";

/**
 * What the plugin and its daemon say to each other over a unix socket: the plugin a line of JSON, the daemon a line of
 * JSON, then it closes. A plugin that hangs up while its ADD is worked on does not want the lease any more.
 */

/** Where the daemon listens unless told otherwise. */
export const DEFAULT_SOCKET = "/run/cni/dhcp.sock";

/** One container's interface on one network. */
export interface AttachmentId {
  readonly containerId: string;
  readonly network: string;
  readonly ifName: string;
}

/** What a network's configuration wishes for an attachment. */
export interface Wish {
  readonly ipv4: "dhcp" | "none";
  readonly ipv6: "none" | "dhcp" | "slaac" | "auto";
  /** DHCPv4 options to ask for (RFC 2132, section 9.8). */
  readonly request: readonly number[];
  /** DHCPv4 options to send: their code, and their value as text (UTF-8). */
  readonly provide: readonly (readonly [code: number, value: string])[];
  /** The metric of all routes. */
  readonly priority?: number | undefined;
  /** Servers are to answer by broadcast (RFC 2131, section 4.1), also where the daemon does not ask all for it. */
  readonly broadcast: boolean;
  /** The configuration says nothing of the MTU: the server may. */
  readonly mtu: boolean;
}

export interface AddCall extends AttachmentId {
  readonly command: "ADD";
  /** The absolute path of the namespace, as the plugin's host sees it. */
  readonly netns: string;
  readonly wish: Wish;
}

export interface CheckCall extends AttachmentId {
  readonly command: "CHECK";
}

export interface DelCall extends AttachmentId {
  readonly command: "DEL";
}

export interface GcCall {
  readonly command: "GC";
  readonly network: string;
  readonly validAttachments: readonly Omit<AttachmentId, "network">[];
}

export interface StatusCall {
  readonly command: "STATUS";
}

/** Asks for all attachments, for an operator to look at. */
export interface ListCall {
  readonly command: "LIST";
}

export type Call = AddCall | CheckCall | DelCall | GcCall | StatusCall | ListCall;

/** `result`: of ADD a CNI result in the form of 1.1.0, of CHECK the same as it is by now, of LIST the attachments. */
export type Answer = { readonly result: JsonObject } | { readonly error: Omit<ErrorObject, "cniVersion"> };

/** Where a daemon keeps its leases: beside its socket, for no lease outlives the machine's run. */
export function leaseDirectory(socketPath: string): string {
  return `${socketPath.replace(/\.sock$/, "")}.leases`;
}

/** The file there that is about an attachment, of a record in the form of record.ts. */
export function recordPath(host: Host, directory: string, id: AttachmentId): string {
  return `${directory}/${host.sha512(attachmentName(id), 32)}`;
}

/** What the names of those files are like. */
export const RECORD_NAME = /^[0-9a-f]{32}$/;

/** By this a DHCP server knows the attachment, and so does the reference: `container/network/interface`. */
export function attachmentName({ containerId, network, ifName }: AttachmentId): string {
  return `${containerId}/${network}/${ifName}`;
}
