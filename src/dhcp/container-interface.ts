import { errno } from "../host/errno.ts";
import { type Host, isErrno, O_RDONLY, SysError } from "../host/host.ts";
import { Namespace } from "../net/namespace.ts";
import { getLink, type Link } from "../netlink/link.ts";

const CLONE_NEWNET = 0x40000000;

/** The interface, or the namespace that it was in, does not exist any more. */
export class InterfaceGone extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InterfaceGone";
  }
}

/** By what a namespace and an interface in it are known again. */
export interface Identity {
  /** The inode of the namespace. */
  readonly netns: number;
  /** The index of the link. */
  readonly link: number;
}

/** An open namespace, and the interface in it as it is now. */
export interface Reached {
  readonly netns: Namespace;
  readonly link: Link;
}

/**
 * An interface in a container's namespace. Nothing of it is held open between two uses, for that would keep the
 * namespace alive when the container has ended.
 */
export class ContainerInterface {
  readonly host: Host;
  /** The path of the namespace. */
  readonly netns: string;
  readonly name: string;
  #identity: Identity | undefined;

  /** Without `identity`, it is whatever is there at the first use. */
  constructor(host: Host, netns: string, name: string, identity?: Identity) {
    this.host = host;
    this.netns = netns;
    this.name = name;
    this.#identity = identity;
  }

  /** Undefined before the first use. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /**
   * Opens the namespace for as long as `work` runs. Sockets that it makes stay open, and keep the namespace. Throws
   * InterfaceGone.
   */
  use<T>(work: (reached: Reached) => T): T {
    const netns = new Namespace(this.host, this.#open(), this.netns);
    try {
      return work({ netns, link: this.#find(netns) });
    } finally {
      netns.close();
    }
  }

  /** Whether the namespace is still there. What is refused now may be told later: so it is, when that is not known. */
  exists(): boolean {
    try {
      const status = this.host.statIfAny(this.netns);
      return status !== undefined && (!this.#identity || status.ino === this.#identity.netns);
    } catch (error) {
      if (error instanceof SysError) return true;
      throw error;
    }
  }

  #open(): number {
    try {
      return this.host.open(this.netns, O_RDONLY);
    } catch (error) {
      if (!isErrno(error, errno.ENOENT, errno.ENOTDIR, errno.ESRCH)) throw error;
      throw new InterfaceGone(`namespace ${this.netns} does not exist any more`);
    }
  }

  #find(namespace: Namespace): Link {
    const { host, fd } = namespace;
    if (host.sys.nstype(fd) !== CLONE_NEWNET)
      throw new InterfaceGone(`${this.netns} is no network namespace any more`);
    const netns = host.statOpen(fd).ino;
    const link = namespace.route.query(getLink(this.name));
    if (link === undefined) throw new InterfaceGone(`there is no interface ${this.name} in ${this.netns}`);
    this.#identity ??= { netns, link: link.index };
    if (this.#identity.netns !== netns) throw new InterfaceGone(`${this.netns} is another namespace by now`);
    if (this.#identity.link !== link.index)
      throw new InterfaceGone(`${this.name} in ${this.netns} is another interface by now`);
    return link;
  }
}
