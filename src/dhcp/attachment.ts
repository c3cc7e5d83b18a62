import { reconfigure } from "../net/reconfigure.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import {
  type ContainerInterface,
  type Identity,
  InterfaceGone,
  type Reached,
} from "./container-interface.ts";
import { asCniError, errorLine } from "./failure.ts";
import { FamilyLease, type Owner } from "./family-lease.ts";
import { changeInterface, prepareInterface } from "./interface-settings.ts";
import { type About, INFO, type Log, sparing } from "./log.ts";
import type { Scheduler, Timer } from "./loop.ts";
import type { AttachmentId, Wish } from "./protocol.ts";
import type { Leases, Record } from "./record.ts";
import { addressesOf, resultJson, settingsJson } from "./settings.ts";
import type { Lease, Settings, Source } from "./source.ts";

/** What ADD gives in the end. */
export type Outcome = { readonly result: JsonObject } | { readonly error: CniError };

/** Tells the plugin the outcome; false if it has gone meanwhile. */
export type Reply = (outcome: Outcome) => boolean;

/** What attachments need of those who keep them. */
export interface Keeper {
  readonly scheduler: Scheduler;
  /** For how long ADD waits, in milliseconds. */
  readonly patience: number;
  openSource(attachment: Attachment, family: FamilyLease): Source;
  /** Keeps the record on disk. Throws SysError. */
  keep(record: Record): void;
  /** It is not to be known any more. */
  forget(attachment: Attachment): void;
  log(id: AttachmentId, text: string, about?: About): void;
}

/**
 * An interface of a container on a network, with the leases for it. It begins with ADD, which is answered when there
 * is a lease for each family that is wished for; from then on the interface follows what the servers say.
 */
export class Attachment implements Owner {
  readonly id: AttachmentId;
  /** The path as the plugin's host sees it. */
  readonly netns: string;
  readonly wish: Wish;
  readonly target: ContainerInterface;
  /** Takes what an operator should know: a line, without our name. */
  readonly log: Log;
  readonly #keeper: Keeper;
  readonly #families: readonly FamilyLease[];
  /** The plugins that wait for ADD. */
  #replies: Reply[] = [];
  #deadline: Timer | undefined;
  /** ADD was answered. */
  #established = false;
  #ended = false;

  constructor(
    keeper: Keeper,
    { id, netns, wish }: Omit<Record, "identity" | "leases">,
    target: ContainerInterface,
  ) {
    this.#keeper = keeper;
    this.id = id;
    this.netns = netns;
    this.wish = wish;
    this.target = target;
    this.log = sparing((text, about) => keeper.log(id, text, about), keeper.scheduler);
    const { ipv4, ipv6 } = wish;
    const families = ([4, 6] as const).filter((family) => (family === 4 ? ipv4 : ipv6) !== "none");
    this.#families = families.map((family) => new FamilyLease(this, family));
  }

  get established(): boolean {
    return this.#established;
  }

  /** Whether there is a lease for each family. */
  get leased(): boolean {
    return this.#families.every(({ lease }) => lease !== undefined);
  }

  get leases(): Leases {
    return Object.fromEntries(this.#families.map(({ family, lease }) => [family, lease]));
  }

  /** The result of ADD as it would be by now. */
  get result(): JsonObject {
    return resultJson(this.#families.flatMap(({ lease }) => lease?.settings ?? []));
  }

  /** Whether it is already what an ADD asks for, or will be. */
  serves({ netns, link }: Identity, wish: Wish): boolean {
    const own = this.target.identity;
    return (
      own?.netns === netns &&
      own.link === link &&
      JSON.stringify(this.wish) === JSON.stringify(wish) &&
      (this.leased || !this.#established)
    );
  }

  /** Begins to seek, for an ADD. */
  start(reply: Reply): void {
    this.#replies.push(reply);
    const { scheduler, patience } = this.#keeper;
    this.#deadline = scheduler.after(patience, () => this.release(this.#noMoreTries()));
    try {
      for (const family of this.#families) family.start(this.#keeper.openSource(this, family));
    } catch (error) {
      this.release(asCniError(error));
    }
  }

  /** Goes on with what a daemon before us has got. */
  resume(leases: Leases): void {
    this.#established = true;
    for (const family of this.#families) {
      const lease = leases[family.family];
      const source = this.#keeper.openSource(this, family);
      if (lease === undefined || lease.expiresAt > this.#keeper.scheduler.now()) family.start(source, lease);
      else {
        family.lease = lease;
        this.lost(family, "it ran out while no daemon was there to renew it");
        family.start(source);
      }
    }
  }

  /** For an ADD that is served already: waits for the same result. */
  join(reply: Reply): void {
    if (this.#established) reply({ result: this.result });
    else this.#replies.push(reply);
  }

  /** Who waited has gone. When nobody waits any more, there is no use for a lease. */
  leave(reply: Reply): void {
    const others = this.#replies.filter((other) => other !== reply);
    const last = others.length === 0 && this.#replies.length > 0;
    this.#replies = others;
    if (last) this.#abandon();
  }

  /** Tells the servers that the leases are not used any more, and ends. Who still waits for ADD gets the error. */
  release(error: CniError = deleted()): void {
    if (this.#ended) return;
    for (const family of this.#families)
      try {
        family.release();
      } catch (failure) {
        // There is nobody to speak for any more; the server will see that nobody renews.
        if (!(failure instanceof InterfaceGone)) this.log(`release: ${errorLine(failure)}`);
      }
    if (this.#established) this.log(`released ${this.#addresses()}`, INFO);
    this.#end(error);
  }

  /** Ends without a word to the servers: there is nobody any more to say it in the name of. */
  drop(error: CniError): void {
    if (this.#ended) return;
    for (const family of this.#families) family.stop();
    this.log(`ended: ${error.message}`, INFO);
    this.#end(error);
  }

  /** The daemon ends: leases stay on disk for the next. */
  suspend(): void {
    if (this.#established) for (const family of this.#families) family.stop();
    else this.release(new CniError(ErrorCode.TryAgainLater, "the DHCP daemon is being stopped"));
  }

  bound(family: FamilyLease, lease: Lease): void {
    const before = family.lease?.settings;
    family.lease = lease;
    if (!this.#established) {
      if (this.leased) this.#establish();
      return;
    }
    if (before === undefined) this.log(acquired(lease, this.#keeper.scheduler.now()), INFO);
    this.#apply(family, before, lease.settings);
    this.#keep();
  }

  lost(family: FamilyLease, reason: string): void {
    const before = family.lease?.settings;
    if (before === undefined) return;
    family.lease = undefined;
    this.log(`lost ${addressesOf(before)}: ${reason}`);
    // Nobody has configured anything yet.
    if (!this.#established) return;
    family.stale = before;
    this.#use(({ netns, link }) => reconfigure(netns, link, before, {}));
    this.#keep();
  }

  gone(reason: string): void {
    this.drop(new CniError(ErrorCode.Plugin, reason));
  }

  /** ADD has all that it wants. */
  #establish(): void {
    this.#deadline?.cancel();
    try {
      this.target.use((reached) => {
        for (const { lease } of this.#families)
          prepareInterface(reached, lease!.settings, this.wish, this.log);
      });
      this.#keeper.keep(this.#record());
    } catch (error) {
      this.#later(() => this.release(asCniError(error)));
      return;
    }
    this.#established = true;
    for (const { lease } of this.#families) this.log(acquired(lease!, this.#keeper.scheduler.now()), INFO);
    const { result } = this;
    const replies = this.#replies;
    this.#replies = [];
    // A plugin that has gone in the very last moment did not get it: the runtime believes that there is nothing.
    if (replies.filter((reply) => reply({ result })).length === 0) this.#later(() => this.#abandon());
  }

  #abandon(): void {
    this.log("the plugin has gone before its ADD was answered");
    this.release();
  }

  /** Gives the interface what it is to have by now. */
  #apply(family: FamilyLease, before: Settings | undefined, after: Settings): void {
    const [old, new_] = [before, after].map((settings = {}) => JSON.stringify(settingsJson(settings)));
    if (old === new_) return;
    if (before) this.log(change(addressesOf(before), addressesOf(after)), INFO);
    if (before && JSON.stringify(before.dns ?? {}) !== JSON.stringify(after.dns ?? {}))
      this.log(
        `other DNS: ${JSON.stringify(after.dns ?? {})}; its file is the container's, and stays as it is`,
      );
    this.#use((reached) => {
      if (family.stale) reconfigure(reached.netns, reached.link, family.stale, {});
      family.stale = undefined;
      changeInterface(reached, [before ?? {}, after], this.wish, this.log);
    });
  }

  /** What fails is told; the next lease is another chance. */
  #use(work: (reached: Reached) => void): void {
    try {
      this.target.use(work);
    } catch (error) {
      if (error instanceof InterfaceGone) this.#later(() => this.gone(error.message));
      else this.log(errorLine(error));
    }
  }

  /** Not while a source is in the middle of telling us. */
  #later(end: () => void): void {
    this.#keeper.scheduler.after(0, end);
  }

  #keep(): void {
    try {
      if (!this.#ended) this.#keeper.keep(this.#record());
    } catch (error) {
      this.log(`a restart of the daemon would forget this lease: ${errorLine(error)}`);
    }
  }

  #record(): Record {
    const { id, netns, wish, leases } = this;
    return { id, netns, identity: this.target.identity!, wish, leases };
  }

  #addresses(): string {
    return addressesOf({ ips: this.#families.flatMap(({ lease }) => lease?.settings.ips ?? []) });
  }

  #noMoreTries(): CniError {
    const missing = this.#families.filter(({ lease }) => lease === undefined);
    const details = missing.map(({ family, said }) => `IPv${family}: ${said || NO_ANSWER[family]}.`);
    return new CniError(ErrorCode.TryAgainLater, "no more tries", details.join(" "));
  }

  #end(error: CniError): void {
    this.#ended = true;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    const replies = this.#replies;
    this.#replies = [];
    this.#keeper.forget(this);
    for (const reply of replies) reply({ error });
  }
}

const NO_ANSWER = {
  4: "no DHCP server answers",
  6: "no router and no DHCPv6 server answers",
};

function change(before: string, after: string): string {
  return before === after ? `${after} stays, other settings come` : `changed from ${before} to ${after}`;
}

function acquired({ settings, expiresAt, memory }: Lease, now: number): string {
  const server = memory["server"];
  const from = typeof server === "string" ? ` from ${server}` : "";
  const time = expiresAt === Number.POSITIVE_INFINITY ? "ever" : `${Math.round((expiresAt - now) / 1000)} s`;
  return `leased ${addressesOf(settings)}${from} for ${time}`;
}

function deleted(): CniError {
  return new CniError(ErrorCode.Plugin, "the attachment was deleted before its ADD was answered");
}
