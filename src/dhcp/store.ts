import { errno } from "../host/errno.ts";
import { check, type Host, LOCK_EX, O_CREAT, O_RDWR } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { errorLine } from "./failure.ts";
import type { Log } from "./log.ts";
import { type AttachmentId, attachmentName, RECORD_NAME, recordPath } from "./protocol.ts";
import { type Record, readRecord, recordJson } from "./record.ts";

/** One that was killed is gone when the kernel has closed its sockets, each in 10 ms. */
const LOCK_TIMEOUT_MS = 5_000;

/** A file for each attachment, so that a daemon that is started again goes on with the leases of the one before. */
export class Store {
  readonly #host: Host;
  readonly #directory: string;
  /** Times in records are on the clock of this run of the machine. */
  readonly #boot: string;

  private constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = directory;
    this.#boot = host.readFile("/proc/sys/kernel/random/boot_id").trim();
  }

  /** Opens the directory, or makes it. It is ours for as long as the process lives; code 11 if it is another's. */
  static open(host: Host, directory: string): Store {
    host.makeDirectories(directory, 0o700);
    const path = `${directory}/lock`;
    const fd = host.open(path, O_RDWR | O_CREAT, 0o600);
    const locked = host.sys.flock(fd, LOCK_EX, LOCK_TIMEOUT_MS);
    if (locked === -errno.ETIMEDOUT)
      throw new CniError(
        ErrorCode.TryAgainLater,
        `another daemon is running: it holds ${path}`,
        "Stop it, or give this one a -socketpath of its own.",
      );
    check("flock", locked, path);
    return new Store(host, directory);
  }

  /** All records of this run of the machine. What is no record is set aside, and told of. */
  readAll(log: Log): Record[] {
    const records: Record[] = [];
    for (const name of this.#host.readDirectory(this.#directory)) {
      const path = `${this.#directory}/${name}`;
      // Left by a daemon that was killed while it wrote.
      if (name.endsWith(".tmp")) this.#host.sys.unlink(path);
      if (!RECORD_NAME.test(name)) continue;
      try {
        const record = readRecord(JSON.parse(this.#host.readFile(path)), this.#boot);
        if (record === undefined) this.#host.removeFile(path);
        else if (this.#pathOf(record.id) === path) records.push(record);
        else throw new CniError(ErrorCode.Decoding, `it is about ${attachmentName(record.id)}`);
      } catch (error) {
        this.#host.sys.rename(path, `${path}.bad`);
        log(`the record ${path} cannot be read, and is ${name}.bad now: ${errorLine(error)}`);
      }
    }
    return records;
  }

  write(record: Record): void {
    const text = JSON.stringify(recordJson(record, this.#boot));
    this.#host.replaceFile(this.#pathOf(record.id), `${text}\n`, 0o600);
  }

  remove(id: AttachmentId): void {
    this.#host.removeFile(this.#pathOf(id));
  }

  #pathOf(id: AttachmentId): string {
    return recordPath(this.#host, this.#directory, id);
  }
}
