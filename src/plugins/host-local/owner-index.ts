import { CLOCK_REALTIME, check, type Host, O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } from "../../host/host.ts";
import type { Owner } from "./reservation.ts";

/** What the index knows of one address: a line. */
export interface Entry extends Owner {
  readonly address: string;
  /** The boot in which the address was reserved (`Boot.id`), or EARLIER_BOOT. */
  readonly boot: string;
  /** When the address's file was written, in nanoseconds: another file of that name is another reservation. */
  readonly mtimeNs: number;
}

/** In place of a boot's ID: not this one. */
export const EARLIER_BOOT = "-";

/** A power of two. With 50,000 addresses, some 200 lines a file. */
const BUCKETS = 256;

/** How far the seal lies back: no later change of a directory can bear its time, as clocks go forward. */
const SEAL_AGE_NS = 1e9;

/**
 * By how much the time of the index is ahead of the network's. The kernel's clock for files ticks in milliseconds:
 * changes of both at once often bear the same time, but never such a difference.
 */
const SEAL_GAP_NS = 512_000;

/** Times are read in steps of 256 ns (`FileStatus`). */
const ROUNDING_NS = 256;

/**
 * From containers to addresses: lines in files that are numbered by a hash of the container ID. A network of a few
 * containers has a few files of one line.
 *
 * Entries are hints: the files of the addresses have the last word. The index knows all addresses as long as it is
 * sealed: its directory and the network's bear times of modification that belong together, which are set at the end
 * of each change. Any other change, by other programs or by one of ours that was killed, breaks the seal.
 */
export class OwnerIndex {
  readonly #host: Host;
  readonly #directory: string;
  readonly #network: string;
  /** What was read or written so far. */
  readonly #texts = new Map<string, string>();

  /** The index in `directory` of the reservations in the directory `network`. */
  constructor(host: Host, directory: string, network: string) {
    this.#host = host;
    this.#directory = directory;
    this.#network = network;
  }

  isSealed(): boolean {
    const ours = this.#host.statIfAny(this.#directory)?.mtimeNs ?? 0;
    const theirs = this.#host.statIfAny(this.#network)?.mtimeNs ?? 0;
    return Math.abs(ours - theirs - SEAL_GAP_NS) <= ROUNDING_NS;
  }

  seal(): void {
    const time = this.#host.clock(CLOCK_REALTIME) - SEAL_AGE_NS;
    check("utimensat", this.#host.sys.settime(this.#network, time), this.#network);
    check("utimensat", this.#host.sys.settime(this.#directory, time + SEAL_GAP_NS), this.#directory);
  }

  /** The entries of a container, of all its interfaces. */
  get(containerId: string): Entry[] {
    return this.#lines(bucketOf(containerId))
      .filter((line) => line.startsWith(`${containerId}\t`))
      .map(parse);
  }

  /** All entries by address. */
  all(): Map<string, Entry> {
    const entries = new Map<string, Entry>();
    for (const bucket of this.#buckets())
      for (const line of this.#lines(bucket)) {
        const entry = parse(line);
        entries.set(entry.address, entry);
      }
    return entries;
  }

  add(entry: Entry): void {
    const bucket = bucketOf(entry.containerId);
    const known = this.#texts.get(bucket);
    this.#write(bucket, O_APPEND, format(entry));
    if (known !== undefined) this.#texts.set(bucket, known + format(entry));
  }

  /** Forgets addresses of a container. */
  remove(containerId: string, addresses: readonly string[]): void {
    const bucket = bucketOf(containerId);
    const isGone = (line: string) =>
      line.startsWith(`${containerId}\t`) && addresses.includes(parse(line).address);
    const left = this.#lines(bucket).filter((line) => !isGone(line));
    this.#replace(bucket, left.map((line) => `${line}\n`).join(""));
  }

  /** Makes the index hold exactly these entries. */
  rebuild(entries: Iterable<Entry>): void {
    this.#host.makeDirectories(this.#directory, 0o700);
    // No longer sealed, before the first line is lost.
    check("utimensat", this.#host.sys.settime(this.#directory, 0), this.#directory);
    const texts = new Map<string, string>();
    for (const entry of entries) {
      const bucket = bucketOf(entry.containerId);
      texts.set(bucket, (texts.get(bucket) ?? "") + format(entry));
    }
    for (const bucket of this.#buckets()) this.#replace(bucket, texts.get(bucket) ?? "");
    for (const [bucket, text] of texts) this.#replace(bucket, text);
  }

  #buckets(): string[] {
    return this.#host.statIfAny(this.#directory) ? this.#host.readDirectory(this.#directory) : [];
  }

  #lines(bucket: string): string[] {
    const text = this.#text(bucket);
    return text === "" ? [] : text.trimEnd().split("\n");
  }

  #text(bucket: string): string {
    const text = this.#texts.get(bucket) ?? this.#host.readFileIfAny(this.#path(bucket)) ?? "";
    this.#texts.set(bucket, text);
    return text;
  }

  #replace(bucket: string, text: string): void {
    if (text === "") this.#host.removeFile(this.#path(bucket));
    else if (text !== this.#text(bucket)) this.#write(bucket, O_TRUNC, text);
    this.#texts.set(bucket, text);
  }

  #write(bucket: string, how: typeof O_APPEND | typeof O_TRUNC, text: string): void {
    const path = this.#path(bucket);
    const fd = this.#host.open(path, O_WRONLY | O_CREAT | how, 0o600);
    try {
      this.#host.write(fd, this.#host.encode(text), path);
    } finally {
      this.#host.close(fd);
    }
  }

  #path(bucket: string): string {
    return `${this.#directory}/${bucket}`;
  }
}

/** The number of a container's file: FNV-1a of the end of its ID, where IDs differ, folded. */
function bucketOf(containerId: string): string {
  let hash = 0x811c9dc5;
  for (let i = Math.max(0, containerId.length - 16); i < containerId.length; i++)
    hash = Math.imul(hash ^ containerId.charCodeAt(i), 0x01000193) >>> 0;
  return String((hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & (BUCKETS - 1));
}

function format({ containerId, ifName, address, boot, mtimeNs }: Entry): string {
  return `${containerId}\t${ifName}\t${address}\t${boot}\t${mtimeNs}\n`;
}

function parse(line: string): Entry {
  const [containerId = "", ifName = "", address = "", boot = "", mtime] = line.split("\t");
  return { containerId, ifName, address, boot, mtimeNs: Number(mtime) };
}
