import { type Reader, Writer } from "../codec.ts";

/**
 * Comments, as `nft` reads and writes them: a list of u8 type, u8 length, value (libnftnl, udata.h) in
 * the attribute for user data, of which the kernel knows nothing. The text ends with a NUL.
 * It has one character for each byte: `nft` expects UTF-8.
 */

/** What `nft` accepts (NFTNL_UDATA_COMMENT_MAXLEN), in bytes. */
export const COMMENT_LENGTH_MAX = 128;

/** The number of the comment in the user data of tables, chains, rules and set elements. */
const COMMENT = 0;

export function writeComment(
  into: Writer,
  attribute: number,
  comment: string | undefined,
  type = COMMENT,
): void {
  if (comment !== undefined) into.bytesAttribute(attribute, encodeComment(comment, type));
}

/** RangeError if the comment is longer than `nft` accepts. */
export function encodeComment(comment: string, type = COMMENT): Uint8Array {
  if (comment.length > COMMENT_LENGTH_MAX)
    throw new RangeError(
      `comment of ${comment.length} bytes, at most ${COMMENT_LENGTH_MAX} are possible: ${comment}`,
    );
  const into = new Writer(comment.length + 3).u8(type).u8(comment.length + 1);
  for (let i = 0; i < comment.length; i++) into.u8(comment.charCodeAt(i));
  return into.u8(0).finish();
}

/** Undefined if there is none, or the user data are not those of `nft`. */
export function decodeComment(userData: Reader | undefined, type = COMMENT): string | undefined {
  const bytes = userData?.bytes ?? new Uint8Array();
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes[at + 1]!)
    if (bytes[at] === type) {
      const text = bytes.subarray(at + 2, at + 2 + bytes[at + 1]!);
      return String.fromCharCode(...text.subarray(0, text.indexOf(0)));
    }
  return undefined;
}
