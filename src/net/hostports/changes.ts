import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Request } from "../../netlink/message.ts";
import { batch, readGeneration } from "../../netlink/nftables/batch.ts";
import { deleteElements, type Element, listElements } from "../../netlink/nftables/element.ts";
import { listSets, type SetId } from "../../netlink/nftables/set.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { tableOf } from "./layout.ts";

/** How often others may change something between our look at the rules and our change to them. */
const ATTEMPTS = 100;
/** Elements of one message: with their comments they stay below the 64 KB of an attribute. */
const PIECE = 128;

/** One transaction of what `prepare` gives, true as of the moment when it takes place. */
export function transact(netfilter: NetlinkSocket, prepare: () => Request[]): void {
  for (let attempt = 1; ; attempt++) {
    const generation = netfilter.query(readGeneration());
    const requests = prepare();
    try {
      netfilter.execute(batch(requests, generation));
      return;
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ERESTART) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Deletes the elements that are meant. Each of them contains the text `mention`, if there is one. */
export function deletionsWhere(
  netfilter: NetlinkSocket,
  family: 4 | 6,
  isMeant: (element: Element) => boolean,
  mention?: string,
): Request[] {
  return netfilter.dump(listSets(tableOf(family))).flatMap((set) => {
    const elements = netfilter.dump(listElements(set, mention)).flat().filter(isMeant);
    return inPieces(
      elements.map(({ key }) => ({ set, key })),
      deleteElements,
    );
  });
}

/** Requests for elements, by sets and in messages that are not too long. */
export function inPieces<T extends Element & { readonly set: SetId }>(
  elements: readonly T[],
  make: (set: SetId, elements: readonly T[]) => Request,
): Request[] {
  const sets = new Map<string, T[]>();
  for (const element of elements) {
    const list = sets.get(element.set.name);
    if (list) list.push(element);
    else sets.set(element.set.name, [element]);
  }
  return [...sets.values()].flatMap((list) => {
    const requests: Request[] = [];
    for (let from = 0; from < list.length; from += PIECE)
      requests.push(make(list[0]!.set, list.slice(from, from + PIECE)));
    return requests;
  });
}
