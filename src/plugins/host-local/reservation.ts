import type { Attachment } from "../../plugin/types.ts";

/** Who holds an address. Files older than version 0.8 of the reference name no interface: `ifName` is "". */
export type Owner = Attachment;

const LINE_BREAK = "\r\n";

/** The content of an address's file. */
export function formatOwner({ containerId, ifName }: Owner): string {
  return containerId + LINE_BREAK + ifName;
}

/**
 * Reads the content of an address's file; undefined if its writer died before he was done.
 *
 * Torn is what no complete write leaves: nothing, NULs (a block that never reached the disk), or a line break with
 * nothing behind it. A lone container ID may be the beginning of a longer one, but old files look the same: it
 * counts as held, since an address held too long is a smaller harm than one held twice.
 */
export function parseOwner(text: string): Owner | undefined {
  const at = text.indexOf(LINE_BREAK);
  const containerId = (at < 0 ? text.replace(/\n$/, "") : text.slice(0, at)).trimStart();
  const ifName = at < 0 ? "" : text.slice(at + LINE_BREAK.length).trim();
  const torn =
    containerId.trim() === "" || text.includes("\0") || (at < 0 ? text.includes("\r") : ifName === "");
  return torn ? undefined : { containerId: containerId.trim(), ifName };
}

export function sameOwner(a: Owner | undefined, b: Owner): boolean {
  return a?.containerId === b.containerId && a.ifName === b.ifName;
}
