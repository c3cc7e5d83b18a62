import { SysError } from "../../host/host.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type HostLocalConfig, placeFor, rangeSetsFor } from "./config.ts";
import { formatSet, spansAfter } from "./range.ts";
import { Store } from "./store.ts";

/** Finds out whether the next ADD could reserve addresses. Code 50 if not. Takes no lock and changes nothing. */
export function status(request: StatusRequest<HostLocalConfig>): void {
  const { host } = request;
  const sets = rangeSetsFor(request);
  const place = placeFor(request);
  const probe = `${place.index}.${host.sys.getpid()}`;
  try {
    host.makeDirectories(place.index.slice(0, place.index.lastIndexOf("/")), 0o700);
    try {
      host.writeFile(probe, "Whether files can be written here.\n", 0o600);
    } finally {
      host.removeFile(probe);
    }
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    throw new CniError(
      ErrorCode.NotAvailable,
      `host-local cannot write to its dataDir: ${error.message}`,
      `Reservations go to ${place.directory}: it must be writable and have room.`,
      { cause: error },
    );
  }
  const store = new Store(host, place);
  const full = sets.findIndex((set, index) => !store.findFree(spansAfter(set, store.lastReserved(index))));
  if (full < 0) return;
  throw new CniError(
    ErrorCode.NotAvailable,
    `no IP addresses available in range set: ${formatSet(sets[full]!)}`,
    `All are reserved by the files in ${place.directory}.`,
  );
}
