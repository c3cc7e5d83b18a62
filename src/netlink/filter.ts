import { type Attributes, NO_ATTRIBUTES, Reader, Writer } from "./codec.ts";
import type { LinkRef } from "./link.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Request } from "./message.ts";
import { ingress } from "./qdisc.ts";

/**
 * Filters that send what comes in by a link to another one.
 * Wire: struct tcmsg, TCA_* (linux/rtnetlink.h), TCA_U32_*, TCA_ACT_* (linux/pkt_cls.h), struct tc_mirred
 * (linux/tc_act/tc_mirred.h).
 */

const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_U32_CLASSID = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TC_ACT_STOLEN = 4;
const TCA_MIRRED_PARMS = 2;
const TCA_EGRESS_REDIR = 1;
const ETH_P_ALL = 0x0003;

/** sizeof(struct tcmsg), as for a qdisc; `info` holds priority and EtherType. */
const HEADER = 20;
const PRIORITY = 1;
/** A class `1:1`, which does not exist: u32 wants one where it ends. */
const CLASS = 0x10001;

export interface Redirection {
  /** The index of the link that packets are sent to; 0 if that has gone. */
  readonly to: number;
}

/**
 * All that comes in by a link leaves by another, which must not be deleted before: then it is dropped. The link needs
 * the qdisc `ingress`. Equivalent to `tc filter add dev LINK parent ffff: protocol all prio 1 u32 match u32 0 0
 * flowid 1:1 action mirred egress redirect dev TO`.
 */
export function addRedirection(link: LinkRef, to: LinkRef): Request {
  const body = header(link, 0x10000 * PRIORITY + (ETH_P_ALL << 8)).textAttribute(TCA_KIND, "u32");
  body.nest(TCA_OPTIONS, (options) => {
    // struct tc_u32_sel with one struct tc_u32_key that every packet matches: no bit is looked at.
    options.nest(TCA_U32_SEL, (select) => select.u8(TC_U32_TERMINAL).u8(0).u8(1).zeros(13).zeros(16));
    options.u32Attribute(TCA_U32_CLASSID, CLASS);
    options.nest(TCA_U32_ACT, (actions) => actions.nest(1, (action) => writeMirred(action, to.index)));
  });
  return {
    type: RTM_NEWTFILTER,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: body.finish(),
    what: `redirect what comes in by ${link.name} to ${to.name}`,
  };
}

function writeMirred(action: Writer, to: number): void {
  action.textAttribute(TCA_ACT_KIND, "mirred");
  action.nest(TCA_ACT_OPTIONS, (options) =>
    options.nest(TCA_MIRRED_PARMS, (parms) =>
      parms.u32(0).u32(0).u32(TC_ACT_STOLEN).zeros(8).u32(TCA_EGRESS_REDIR).u32(to),
    ),
  );
}

/** The redirections of what comes in by a link. Equivalent to `tc filter show dev LINK parent ffff:`. */
export function listRedirections(link: LinkRef): Dump<Redirection> {
  const body = header(link, 0).finish();
  return { type: RTM_GETTFILTER, body, what: `list the filters of ${link.name}`, decode: decodeRedirection };
}

function header(link: LinkRef, info: number): Writer {
  return new Writer().u32(0).u32(link.index).u32(0).u32(ingress.handle).u32(info);
}

/** Reads RTM_NEWTFILTER; undefined for other messages and filters that do something else. */
export function decodeRedirection(body: Uint8Array, type: number): Redirection | undefined {
  if (type !== RTM_NEWTFILTER) return undefined;
  const attributes = new Reader(body).attributes(HEADER);
  if (attributes.get(TCA_KIND)?.text() !== "u32") return undefined;
  const actions = nested(attributes, TCA_OPTIONS).get(TCA_U32_ACT)?.attributeList() ?? [];
  for (const [, action] of actions) {
    const parms = nested(action.attributes(), TCA_ACT_OPTIONS).get(TCA_MIRRED_PARMS);
    if (action.attributes().get(TCA_ACT_KIND)?.text() === "mirred" && parms?.u32(20) === TCA_EGRESS_REDIR)
      return { to: parms.u32(24) };
  }
  return undefined;
}

function nested(attributes: Attributes, type: number): Attributes {
  return attributes.get(type)?.attributes() ?? NO_ATTRIBUTES;
}
