import { errno } from "./errno.ts";
import { S_IFDIR, S_IFREG } from "./host.ts";

const S_IFLNK = 0o120000;
const NAME_MAX = 255;
const LINKS_MAX = 40;

/** A file, directory or symbolic link in memory. */
export class FakeNode {
  readonly ino: number;
  mode: number;
  nlink = 1;
  mtimeNs: number;
  ctimeNs: number;
  data = new Uint8Array();
  /** Of a directory. */
  readonly entries = new Map<string, FakeNode>();
  /** Of a symbolic link. */
  target = "";

  constructor(ino: number, mode: number, now: number) {
    this.ino = ino;
    this.mode = mode;
    this.mtimeNs = this.ctimeNs = now;
  }

  get isDirectory(): boolean {
    return (this.mode & 0o170000) === S_IFDIR;
  }

  get isLink(): boolean {
    return (this.mode & 0o170000) === S_IFLNK;
  }
}

/** Where a path leads: its directory, the name there, and what bears the name. */
interface Place {
  readonly parent: FakeNode;
  readonly name: string;
  readonly node: FakeNode | undefined;
}

/** A file system in memory, with Linux's errors as root sees them. Calls give negative errnos. */
export class FakeFiles {
  readonly #now: () => number;
  readonly #root: FakeNode;
  #ino = 1;

  constructor(now: () => number) {
    this.#now = now;
    this.#root = this.#node(S_IFDIR | 0o755);
  }

  /** The node at a path, or an errno. */
  find(path: string, follow: boolean): FakeNode | number {
    const place = this.#walk(path, follow);
    return typeof place === "number" ? place : (place.node ?? -errno.ENOENT);
  }

  /** The regular file or directory at a path, made if `create`. */
  open(path: string, create: boolean, exclusive: boolean, mode: number): FakeNode | number {
    const place = this.#walk(path, !exclusive);
    if (typeof place === "number") return place;
    if (place.node) return create && exclusive ? -errno.EEXIST : place.node;
    if (!create) return -errno.ENOENT;
    return path.endsWith("/") ? -errno.EISDIR : this.#enter(place, this.#node(S_IFREG | mode));
  }

  mkdir(path: string, mode: number): number {
    return this.#make(path, () => this.#node(S_IFDIR | mode));
  }

  symlink(target: string, path: string): number {
    if (target === "") return -errno.ENOENT;
    return this.#make(path, () => {
      const node = this.#node(S_IFLNK | 0o777);
      node.target = target;
      return node;
    });
  }

  link(from: string, to: string): number {
    const node = this.find(from, false);
    if (typeof node === "number") return node;
    if (node.isDirectory) return -errno.EPERM;
    return this.#make(to, () => {
      node.nlink++;
      return node;
    });
  }

  unlink(path: string): number {
    const place = this.#walk(path, false);
    if (typeof place === "number") return place;
    if (!place.node) return -errno.ENOENT;
    if (place.node.isDirectory) return -errno.EISDIR;
    this.#leave(place);
    return 0;
  }

  rmdir(path: string): number {
    const place = this.#walk(path, false);
    if (typeof place === "number") return place;
    if (!place.node) return -errno.ENOENT;
    if (!place.node.isDirectory) return -errno.ENOTDIR;
    if (place.node === this.#root) return -errno.EBUSY;
    if (place.node.entries.size > 0) return -errno.ENOTEMPTY;
    this.#leave(place);
    return 0;
  }

  rename(from: string, to: string): number {
    const source = this.#walk(from, false);
    const target = this.#walk(to, false);
    if (typeof source === "number") return source;
    if (typeof target === "number") return target;
    const { node } = source;
    if (!node) return -errno.ENOENT;
    if (target.node === node) return 0;
    if (node.isDirectory && contains(node, target.parent)) return -errno.EINVAL;
    if (target.node) {
      if (target.node.isDirectory && !node.isDirectory) return -errno.EISDIR;
      if (!target.node.isDirectory && node.isDirectory) return -errno.ENOTDIR;
      if (target.node.entries.size > 0) return -errno.ENOTEMPTY;
      this.#leave(target);
    }
    source.parent.entries.delete(source.name);
    this.#enter(target, node);
    return 0;
  }

  #node(mode: number): FakeNode {
    return new FakeNode(this.#ino++, mode, this.#now());
  }

  #make(path: string, make: () => FakeNode): number {
    const place = this.#walk(path, false);
    if (typeof place === "number") return place;
    if (place.node) return -errno.EEXIST;
    this.#enter(place, make());
    return 0;
  }

  #enter({ parent, name }: Place, node: FakeNode): FakeNode {
    parent.entries.set(name, node);
    parent.mtimeNs = parent.ctimeNs = this.#now();
    return node;
  }

  #leave({ parent, name, node }: Place): void {
    parent.entries.delete(name);
    parent.mtimeNs = parent.ctimeNs = this.#now();
    node!.nlink--;
  }

  /** path_resolution(7); relative paths start at the root. */
  #walk(path: string, follow: boolean): Place | number {
    if (path === "") return -errno.ENOENT;
    const way: FakeNode[] = [this.#root];
    const left = path.split("/").filter((part) => part !== "" && part !== ".");
    const mustBeDirectory = path.endsWith("/");
    let place: Place = { parent: this.#root, name: "", node: this.#root };
    for (let links = 0; left.length > 0; ) {
      const name = left.shift()!;
      const parent = way.at(-1)!;
      if (!parent.isDirectory) return -errno.ENOTDIR;
      if (name.length > NAME_MAX) return -errno.ENAMETOOLONG;
      if (name === "..") {
        if (way.length > 1) way.pop();
        place = { parent: way.at(-2) ?? this.#root, name: "", node: way.at(-1) };
        continue;
      }
      const node = parent.entries.get(name);
      place = { parent, name, node };
      if (node?.isLink && (left.length > 0 || follow || mustBeDirectory)) {
        if (++links > LINKS_MAX) return -errno.ELOOP;
        if (node.target.startsWith("/")) way.length = 1;
        left.unshift(...node.target.split("/").filter((part) => part !== "" && part !== "."));
        continue;
      }
      if (!node) return left.length > 0 ? -errno.ENOENT : place;
      way.push(node);
    }
    return mustBeDirectory && place.node && !place.node.isDirectory ? -errno.ENOTDIR : place;
  }
}

function contains(directory: FakeNode, node: FakeNode): boolean {
  if (directory === node) return true;
  for (const entry of directory.entries.values()) if (entry.isDirectory && contains(entry, node)) return true;
  return false;
}
