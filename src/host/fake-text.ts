/** UTF-8, slow and obvious. Half of a surrogate pair becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    let code = character.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    if (more === 0) bytes.push(code);
    else bytes.push(((0xff00 >> (more + 1)) & 0xff) | (code >> (6 * more)));
    for (let k = more - 1; k >= 0; k--) bytes.push(0x80 | ((code >> (6 * k)) & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** UTF-8 as the Encoding standard decodes it: the longest beginning of a character that goes wrong is one U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++]!;
    const more =
      first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    let code = more === 0 ? first : first & (0x3f >> more);
    let missing = more;
    while (missing > 0 && at < bytes.length && (bytes[at]! & 0xc0) === 0x80) {
      const next = (code << 6) | (bytes[at]! & 0x3f);
      // What the first two bytes decide already: too long, a surrogate, beyond U+10FFFF.
      const rest = 6 * (missing - 1);
      const low = next << rest;
      const high = low | ((1 << rest) - 1);
      if (more === 2 && (high < 0x800 || (low >= 0xd800 && high <= 0xdfff))) break;
      if (more === 3 && (high < 0x10000 || low > 0x10ffff)) break;
      code = next;
      at++;
      missing--;
    }
    text += missing === 0 ? String.fromCodePoint(code) : "\ufffd";
  }
  return text;
}
