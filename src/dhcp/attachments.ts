import type { Host } from "../host/host.ts";
import { IFF_UP, setLink } from "../netlink/link.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import { Attachment, type Keeper, type Reply } from "./attachment.ts";
import { ContainerInterface, InterfaceGone } from "./container-interface.ts";
import { errorLine } from "./failure.ts";
import type { FamilyLease } from "./family-lease.ts";
import { type About, INFO, type Log } from "./log.ts";
import type { Scheduler } from "./loop.ts";
import { type AddCall, type AttachmentId, attachmentName, type GcCall } from "./protocol.ts";
import type { Record } from "./record.ts";
import type { Source, SourceContext, SourceEvents, Timing } from "./source.ts";
import type { Store } from "./store.ts";

/** How often it is looked whether containers have ended without DEL. */
const SWEEP_MS = 5_000;

/** What attachments work with. */
export interface Workshop {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly store: Store;
  readonly log: Log;
  /** Stands before the paths of namespaces. */
  readonly hostPrefix: string;
  /** All servers are asked to answer by broadcast. */
  readonly broadcast: boolean;
  /** For how long ADD waits, in milliseconds. */
  readonly patience: number;
  readonly timing: Timing;
  openSource(family: 4 | 6, context: SourceContext, events: SourceEvents): Source;
}

/** All attachments that the daemon has leases for, or seeks some for. */
export class Attachments implements Keeper {
  readonly #work: Workshop;
  readonly #all = new Map<string, Attachment>();

  constructor(work: Workshop) {
    this.#work = work;
  }

  get scheduler(): Scheduler {
    return this.#work.scheduler;
  }

  get patience(): number {
    return this.#work.patience;
  }

  /** Takes up what the daemon before us has left, and begins to look for containers that have ended. */
  resume(): void {
    const { store, log } = this.#work;
    let [resumed, ended] = [0, 0];
    for (const record of store.readAll(log))
      try {
        if (this.#takeUp(record)) resumed++;
        else ended++;
      } catch (error) {
        log(errorLine(error), { id: record.id });
      }
    if (resumed + ended > 0)
      log(`attachments taken up again: ${resumed}; ended with their containers meanwhile: ${ended}`, INFO);
    this.#sweepLater();
  }

  /** False if its container has ended. */
  #takeUp(record: Record): boolean {
    const target = this.#interface(record.netns, record.id.ifName, record.identity);
    if (target.exists()) {
      const attachment = new Attachment(this, record, target);
      this.#all.set(attachmentName(record.id), attachment);
      attachment.resume(record.leases);
      return true;
    }
    this.#work.store.remove(record.id);
    return false;
  }

  /** Begins or joins an ADD. What is given back tells that its plugin has gone. Throws CniError. */
  add(call: AddCall, reply: Reply): () => void {
    const name = attachmentName(call);
    const target = this.#interface(call.netns, call.ifName);
    bringUp(target);
    const known = this.#all.get(name);
    if (known?.serves(target.identity!, call.wish)) {
      known.join(reply);
      return () => known.leave(reply);
    }
    // An interface is one attachment's: a namespace that is made anew may be taken for the one that has gone.
    for (const other of [...this.#all.values()])
      if (other === known || (other.netns === call.netns && other.id.ifName === call.ifName))
        other.drop(
          new CniError(ErrorCode.Plugin, `another ADD has come for ${call.ifName} in ${call.netns}`),
        );
    const attachment = new Attachment(this, { ...call, id: idOf(call) }, target);
    this.#all.set(name, attachment);
    attachment.start(reply);
    return () => attachment.leave(reply);
  }

  /** The result of ADD as it would be by now. Code 100 if there is no lease. */
  check(id: AttachmentId): JsonObject {
    const name = attachmentName(id);
    const attachment = this.#all.get(name);
    if (attachment?.established && attachment.leased) return attachment.result;
    const problem = attachment ? "has no lease at present" : "is not known to the DHCP daemon";
    throw new CniError(ErrorCode.Plugin, `${name} ${problem}`);
  }

  /** What is not known is deleted already. */
  delete(id: AttachmentId): void {
    this.#all.get(attachmentName(id))?.release();
  }

  /** Releases what a network has besides the attachments that are valid. An ADD that is under way is. */
  collect({ network, validAttachments }: GcCall): void {
    const valid = new Set(validAttachments.map((one) => attachmentName({ ...one, network })));
    for (const [name, attachment] of [...this.#all])
      if (attachment.id.network === network && attachment.established && !valid.has(name))
        attachment.release();
  }

  /** For an operator to look at. Times are in seconds from now; null where there is no end. */
  list(): JsonObject {
    const seconds = (time: number) => Math.round((time - this.scheduler.now()) / 1000);
    const attachments = [...this.#all.values()].map(({ id, netns, leases }) => ({
      ...id,
      netns,
      leases: Object.entries(leases).map(([family, lease]) => ({
        family: Number(family),
        addresses: lease?.settings.ips?.map(({ address }) => address) ?? [],
        ...(lease && {
          server: lease.memory["server"],
          renewsIn: seconds(lease.renewAt),
          expiresIn: seconds(lease.expiresAt),
        }),
      })),
    }));
    return { attachments };
  }

  /** The daemon ends. */
  suspend(): void {
    for (const attachment of [...this.#all.values()]) attachment.suspend();
  }

  openSource({ id, wish, target }: Attachment, family: FamilyLease): Source {
    const { host, scheduler, timing, broadcast } = this.#work;
    const context = {
      ...{ host, scheduler, target, id, timing },
      wish: broadcast ? { ...wish, broadcast } : wish,
    };
    return this.#work.openSource(family.family, context, family);
  }

  keep(record: Record): void {
    this.#work.store.write(record);
  }

  forget(attachment: Attachment): void {
    const name = attachmentName(attachment.id);
    if (this.#all.get(name) === attachment) this.#all.delete(name);
    try {
      this.#work.store.remove(attachment.id);
    } catch (error) {
      attachment.log(errorLine(error));
    }
  }

  log(id: AttachmentId, text: string, about?: About): void {
    this.#work.log(text, { ...about, id });
  }

  #interface(netns: string, ifName: string, identity?: Record["identity"]): ContainerInterface {
    const { host, hostPrefix } = this.#work;
    return new ContainerInterface(host, `${hostPrefix}${netns}`, ifName, identity);
  }

  #sweepLater(): void {
    this.scheduler.after(SWEEP_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweepLater();
    for (const attachment of [...this.#all.values()])
      try {
        if (!attachment.target.exists())
          attachment.gone(`there is no namespace ${attachment.netns} any more`);
      } catch (error) {
        attachment.log(errorLine(error));
      }
  }
}

function idOf({ containerId, network, ifName }: AttachmentId): AttachmentId {
  return { containerId, network, ifName };
}

/** Nothing can be received before. Also fixes which interface is meant by its name. */
function bringUp(target: ContainerInterface): void {
  try {
    target.use(({ netns, link }) => {
      if ((link.flags & IFF_UP) === 0) netns.route.execute([setLink(link, { up: true })]);
    });
  } catch (error) {
    if (!(error instanceof InterfaceGone)) throw error;
    const advice = "A daemon in a container needs -hostprefix, the path at which it sees the host's files.";
    throw new CniError(ErrorCode.Plugin, `the DHCP daemon cannot reach it: ${error.message}`, advice);
  }
}
