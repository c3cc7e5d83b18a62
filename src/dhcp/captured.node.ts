/** Bytes as hexadecimal digits, in lines; `00*9` are nine zeros. */
export function captured(text: string): Uint8Array {
  const digits = text.replace(/00\*(\d+)/g, (_, count) => "00".repeat(Number(count))).replace(/\s/g, "");
  return Uint8Array.from(Buffer.from(digits, "hex"));
}
