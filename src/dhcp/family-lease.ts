import type { Lease, Settings, Source, SourceEvents } from "./source.ts";

/** Whom a FamilyLease tells. */
export interface Owner {
  bound(family: FamilyLease, lease: Lease): void;
  lost(family: FamilyLease, reason: string): void;
  gone(reason: string): void;
  log(text: string): void;
}

/** An attachment's lease for one address family, and the source that it comes from. */
export class FamilyLease implements SourceEvents {
  readonly family: 4 | 6;
  /** Undefined while there is none. */
  lease: Lease | undefined;
  /** Settings of a lease that was lost before: who configures the interface may have added them since. */
  stale: Settings | undefined;
  /** What the source said last. */
  said = "";
  /** Undefined when the attachment has ended: then nobody wants to hear of it any more. */
  #owner: Owner | undefined;
  #source: Source | undefined;

  constructor(owner: Owner, family: 4 | 6) {
    this.#owner = owner;
    this.family = family;
  }

  /** Begins to seek; with a lease, goes on with that. */
  start(source: Source, lease?: Lease): void {
    this.#source = source;
    this.lease = lease;
    source.start(lease);
  }

  /** Tells the server that the lease is not used any more. */
  release(): void {
    const source = this.#end();
    source?.release();
  }

  stop(): void {
    this.#end()?.stop();
  }

  bound(lease: Lease): void {
    this.#owner?.bound(this, lease);
  }

  lost(reason: string): void {
    this.#owner?.lost(this, reason);
  }

  gone(reason: string): void {
    this.#owner?.gone(reason);
  }

  log(text: string): void {
    this.said = text;
    this.#owner?.log(text);
  }

  /** Lets go of source and owner, which hold us too: so the memory of all is free at once. */
  #end(): Source | undefined {
    const source = this.#source;
    this.#source = this.#owner = undefined;
    return source;
  }
}
