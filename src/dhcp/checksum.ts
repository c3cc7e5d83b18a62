/** The checksum of IP, UDP and ICMPv6: the sum of 16-bit words in ones' complement (RFC 1071). */

/** The sum on top of another one; a byte that is left over is the upper half of a word. */
export function addWords(bytes: Uint8Array, sum = 0): number {
  let total = sum;
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  return total;
}

/** A sum in 16 bits. With the checksum counted in it is 0xffff. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
