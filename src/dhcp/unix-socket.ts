import { check, type Host } from "../host/host.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** sizeof(sun_path) without the NUL, in bytes (linux/un.h). */
export const PATH_LENGTH = 107;

export function openUnixSocket({ sys }: Host): number {
  return check("socket", sys.socket(-1, AF_UNIX, SOCK_STREAM, 0), "unix");
}

/** struct sockaddr_un; undefined for a path that is too long, or has a NUL. */
export function unixAddress(host: Host, path: string): Uint8Array | undefined {
  const bytes = host.encode(path);
  if (bytes.length > PATH_LENGTH || bytes.includes(0)) return undefined;
  return Uint8Array.of(AF_UNIX, 0, ...bytes, 0);
}
