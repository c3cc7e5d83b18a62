/**
 * The reservations of one network on disk, shared with the reference's host-local.
 *
 *     <dataDir>/<network>/<address>             "<container ID>\r\n<interface>", mode 0600
 *     <dataDir>/<network>/last_reserved_ip.<n>  the address that range set n gave last
 *     <dataDir>/<network>/lock                  flock(2) around each operation
 *     <dataDir>/.plumb/<network>/<0 to 255>     ours alone: the index, see owner-index.ts
 *
 * The files of the addresses are the truth: whoever made one holds the address. They are looked at by name, one
 * after the other from the address given last, so that their number does not matter. The index is beside the
 * network's directory, as the reference reads every file in it, and its name cannot be a network's.
 *
 * A file appears complete or not at all: it is written under another name and linked to its own. All that can be
 * found half done was left by a killed writer, as living ones hold the lock: an empty or torn file is free.
 *
 * The index is sealed last. Whatever happens between, to us by a signal, or by another program's hand, the next
 * operation finds the seal broken, reads all files once and mends the index.
 *
 * Containers do not outlive the system, so neither do reservations: one of an earlier boot is dead, and is given
 * again when no free address is near. The index tells the boot in which each was made; what it has not seen is
 * judged by its times (boot.ts). A doubtful one counts as alive.
 */
import { type Ip, parseIp } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import {
  check,
  type FileStatus,
  type Host,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  S_IFMT,
  S_IFREG,
  SysError,
} from "../../host/host.ts";
import { CniError } from "../../spec/errors.ts";
import { Boot } from "./boot.ts";
import { locked, openLock } from "./lock.ts";
import { EARLIER_BOOT, type Entry, OwnerIndex } from "./owner-index.ts";
import type { Span } from "./range.ts";
import { formatOwner, type Owner, parseOwner, sameOwner } from "./reservation.ts";

/** Taken addresses are passed for a free one this far before a dead reservation is given again. */
const LOOK_AHEAD = 100;

const READ_TIMEOUT_MS = 10_000;
const FILE_MODE = 0o600;

/** More than a container ID and an interface name have. */
const CONTENT_LIMIT = 1024;

/** A file under this name waits to become an address's. */
const DRAFT = ".reserving";

/** Quicker than parsing thousands of names. What it lets through besides addresses does no harm. */
const LIKE_ADDRESS = /^[0-9a-f]*[.:][0-9a-f.:]*$/;

/** The names of a network's files. */
export interface Place {
  /** The directory of the reservations. */
  readonly directory: string;
  /** The directory of the index. */
  readonly index: string;
}

export function placeOf(dataDir: string, network: string): Place {
  return { directory: `${dataDir}/${network}`, index: `${dataDir}/.plumb/${network}` };
}

/**
 * Opens the network's reservations, makes the directory if need be, and locks them while `work` runs. Code 11 if
 * somebody else holds the lock too long.
 */
export function withStore<T>(host: Host, place: Place, work: (store: Store) => T): T {
  let lock = openLock(host, place.directory);
  if (lock === undefined) {
    host.makeDirectories(place.directory);
    lock = openLock(host, place.directory);
  }
  if (lock === undefined) throw new SysError("open", errno.ENOENT, place.directory);
  return locked(host, lock, place.directory, () => operate(host, place, work));
}

/** The same if there are any reservations; undefined otherwise. */
export function withStoreIfAny<T>(host: Host, place: Place, work: (store: Store) => T): T | undefined {
  const lock = openLock(host, place.directory);
  return lock === undefined
    ? undefined
    : locked(host, lock, place.directory, () => operate(host, place, work));
}

function operate<T>(host: Host, place: Place, work: (store: Store) => T): T {
  const store = new Store(host, place);
  try {
    const result = work(store);
    store.seal();
    return result;
  } catch (error) {
    // A refusal of our own leaves all in order. What a failed system call left, the next operation finds out.
    if (error instanceof CniError) store.seal();
    throw error;
  }
}

/** An address that can be reserved. `reclaim`: its file is there, but empty, torn or of an earlier boot. */
export interface Candidate {
  readonly ip: Ip;
  readonly reclaim: boolean;
}

/** The reservations of a network, while they are locked. */
export class Store {
  readonly #host: Host;
  readonly directory: string;
  readonly #index: OwnerIndex;
  readonly #boot: Boot;
  readonly #buffer = new Uint8Array(CONTENT_LIMIT);
  #changed = false;

  constructor(host: Host, place: Place) {
    this.#host = host;
    this.directory = place.directory;
    this.#index = new OwnerIndex(host, place.index, place.directory);
    this.#boot = new Boot(host);
  }

  /** Reads all files once if others than us changed any. Before `find`, `reserve` and `release`. */
  mendIndex(): void {
    if (!this.#index.isSealed()) this.retain(() => true);
  }

  /**
   * The addresses of `owner`. Old files, which name no interface, count for each of the container's, if it has
   * no other.
   */
  find(owner: Owner): string[] {
    const anyInterface = { containerId: owner.containerId, ifName: "" };
    const files = this.#index
      .get(owner.containerId)
      .filter(({ ifName }) => ifName === owner.ifName || ifName === "")
      .map(({ address }) => ({ address, owner: this.#read(address) }));
    const own = files.filter((file) => sameOwner(file.owner, owner));
    const found = own.length > 0 ? own : files.filter((file) => sameOwner(file.owner, anyInterface));
    return found.map(({ address }) => address);
  }

  /** Whether the reservation of `address` was made before this boot, or is torn. */
  isDead(address: string, status = this.#host.statIfAny(this.#path(address)), known?: Entry): boolean {
    if (status === undefined) return true;
    if (!isFile(status)) return false;
    const owner = this.#read(address);
    if (owner === undefined) return true;
    const hint = known ?? this.#index.get(owner.containerId).find((entry) => entry.address === address);
    return this.#entryOf(address, owner, status, hint).boot !== this.#boot.id;
  }

  /** The address that the range set gave last. */
  lastReserved(set: number): Ip | undefined {
    const text = this.#text(`last_reserved_ip.${set}`);
    return text === undefined ? undefined : parseIp(text);
  }

  rememberLastReserved(set: number, ip: Ip): void {
    this.#changed = true;
    this.#host.writeFile(this.#path(`last_reserved_ip.${set}`), `${ip}`, FILE_MODE);
  }

  /** The first address of `spans` that can be reserved; a dead reservation if nothing free is near. */
  findFree(spans: readonly Span[]): Candidate | undefined {
    return this.#firstFree(spans) ?? this.#firstDead(spans);
  }

  #firstFree(spans: readonly Span[]): Candidate | undefined {
    let dead: Candidate | undefined;
    let passed = 0;
    for (const { from, to, gateway } of spans) {
      for (let ip = from; ; ip = ip.plus(1)) {
        if (!ip.equals(gateway)) {
          const address = ip.toString();
          const status = this.#host.statIfAny(this.#path(address));
          if (status === undefined) return { ip, reclaim: false };
          if (status.size === 0 && isFile(status)) return { ip, reclaim: true };
          if (!dead && this.#boot.maybeOlder(status) && this.isDead(address, status))
            dead = { ip, reclaim: true };
          if (dead && ++passed > LOOK_AHEAD) return dead;
        }
        if (ip.equals(to)) break;
      }
    }
    return dead;
  }

  /** The same with a look into every file: for torn ones, and for clocks that make the dead look alive. */
  #firstDead(spans: readonly Span[]): Candidate | undefined {
    const known = this.#index.all();
    for (const { from, to, gateway } of spans)
      for (let ip = from; ; ip = ip.plus(1)) {
        const address = ip.toString();
        if (!ip.equals(gateway) && this.isDead(address, undefined, known.get(address)))
          return { ip, reclaim: true };
        if (ip.equals(to)) break;
      }
    return undefined;
  }

  /** Whether this one address can be reserved. */
  candidate(ip: Ip): Candidate | undefined {
    const status = this.#host.statIfAny(this.#path(ip.toString()));
    if (status === undefined) return { ip, reclaim: false };
    return this.isDead(ip.toString(), status) ? { ip, reclaim: true } : undefined;
  }

  reserve(owner: Owner, { ip, reclaim }: Candidate): void {
    this.#changed = true;
    const address = ip.toString();
    const before = reclaim ? this.#read(address) : undefined;
    const [draft, path] = [this.#path(DRAFT), this.#path(address)];
    try {
      const mtimeNs = this.#write(draft, formatOwner(owner));
      if (before) this.#index.remove(before.containerId, [address]);
      this.#index.add({ ...owner, address, boot: this.#boot.id, mtimeNs });
      if (reclaim) check("rename", this.#host.sys.rename(draft, path), path);
      else check("link", this.#host.sys.link(draft, path), path);
    } finally {
      this.#host.removeFile(draft);
    }
  }

  /** Writes a new file and gives its time. */
  #write(path: string, text: string): number {
    // It may be there, as a second name of an address's file: it must not be written into.
    this.#host.removeFile(path);
    const fd = this.#host.open(path, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
    try {
      this.#host.write(fd, this.#host.encode(text), path);
      return this.#host.statOpen(fd).mtimeNs;
    } finally {
      this.#host.close(fd);
    }
  }

  /** Frees addresses that `find` gave for `owner`. */
  release(owner: Owner, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    this.#changed = true;
    for (const address of addresses) this.#host.removeFile(this.#path(address));
    this.#index.remove(owner.containerId, addresses);
  }

  /** Reads all reservations, frees those that shall not be kept, and makes the index anew. */
  retain(keep: (owner: Owner | undefined) => boolean): void {
    this.#changed = true;
    const known = this.#index.all();
    const entries: Entry[] = [];
    for (const name of this.#host.readDirectory(this.directory)) {
      const status = LIKE_ADDRESS.test(name) ? this.#host.statIfAny(this.#path(name)) : undefined;
      if (!status || !isFile(status)) continue;
      const owner = this.#read(name);
      if (!keep(owner) && parseIp(name)) this.#host.removeFile(this.#path(name));
      else if (owner) entries.push(this.#entryOf(name, owner, status, known.get(name)));
    }
    this.#host.removeFile(this.#path(DRAFT));
    this.#index.rebuild(entries);
  }

  /** The entry for a file: what is known of it, if that is about this very file, else what its times tell. */
  #entryOf(address: string, owner: Owner, status: FileStatus, known: Entry | undefined): Entry {
    if (known && sameOwner(known, owner) && known.mtimeNs === status.mtimeNs) return known;
    const boot = this.#boot.isOlder(status) ? EARLIER_BOOT : this.#boot.id;
    return { ...owner, address, boot, mtimeNs: status.mtimeNs };
  }

  /** Says that the index knows every change. */
  seal(): void {
    if (this.#changed) this.#index.seal();
  }

  /** The owner in the file of `address`; undefined if it is torn or not there. */
  #read(address: string): Owner | undefined {
    const text = this.#text(address);
    return text === undefined ? undefined : parseOwner(text);
  }

  #text(name: string): string | undefined {
    const path = this.#path(name);
    const fd = this.#host.sys.open(-1, path, O_RDONLY, 0);
    if (fd === -errno.ENOENT) return undefined;
    check("open", fd, path);
    try {
      const length = check("read", this.#host.sys.read(fd, this.#buffer, READ_TIMEOUT_MS), path);
      return this.#host.decode(this.#buffer.subarray(0, length));
    } finally {
      this.#host.close(fd);
    }
  }

  #path(name: string): string {
    return `${this.directory}/${name}`;
  }
}

function isFile(status: FileStatus): boolean {
  return (status.mode & S_IFMT) === S_IFREG;
}
