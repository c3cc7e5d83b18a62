import { errno } from "../host/errno.ts";
import { check, type Host, isErrno, O_RDWR } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { nameTaken } from "./name-taken.ts";

/**
 * Tap devices: links whose other end is a program, as a virtual machine, that opens /dev/net/tun.
 * Kernel: Documentation/networking/tuntap.rst, linux/if_tun.h.
 */

const DEVICE = "/dev/net/tun";
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_TUN_EXCL = 0x8000;
/** struct ifreq (linux/if.h): the name, here with its NUL at most 16 bytes, then a union, here u16 flags. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;

export interface TapWish {
  readonly name: string;
  /** Several programs, or threads of one, may send and receive at once, each by a queue of its own. */
  readonly multiQueue: boolean;
  /** The numbers of the user and of the group that may open the device besides root; else everybody who may open /dev/net/tun. */
  readonly owner?: number | undefined;
  readonly group?: number | undefined;
}

/**
 * Makes a tap device that stays, in the namespace `nsFd` (-1 for the process's own). It is down.
 * Code 4 if the name is taken, 100 if the host has no /dev/net/tun; else throws SysError.
 */
export function createTap(host: Host, nsFd: number, wish: TapWish): void {
  const { name, owner, group } = wish;
  const fd = openTun(host, nsFd);
  const set = (request: number, number: number, struct: Uint8Array, what: string) =>
    check("ioctl", host.sys.ioctl(fd, request, number, struct), `${what} ${name}`);
  try {
    set(TUNSETIFF, 0, interfaceRequest(host, wish), "TUNSETIFF");
    if (owner !== undefined) set(TUNSETOWNER, owner, new Uint8Array(), "TUNSETOWNER");
    if (group !== undefined) set(TUNSETGROUP, group, new Uint8Array(), "TUNSETGROUP");
    // Last: up to here it goes with the descriptor.
    set(TUNSETPERSIST, 1, new Uint8Array(), "TUNSETPERSIST");
  } catch (error) {
    throw isErrno(error, errno.EBUSY) ? nameTaken(name) : error;
  } finally {
    host.close(fd);
  }
}

function interfaceRequest(host: Host, { name, multiQueue }: TapWish): Uint8Array {
  const flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | (multiQueue ? IFF_MULTI_QUEUE : 0);
  const request = new Uint8Array(IFREQ_SIZE);
  request.set(host.encode(name).subarray(0, IFREQ_FLAGS - 1));
  request[IFREQ_FLAGS] = flags;
  request[IFREQ_FLAGS + 1] = flags >>> 8;
  return request;
}

/** A device belongs to the namespace in which the file was opened. */
function openTun(host: Host, nsFd: number): number {
  try {
    return host.openIn(nsFd, DEVICE, O_RDWR);
  } catch (error) {
    if (!isErrno(error, errno.ENOENT, errno.ENODEV, errno.ENXIO)) throw error;
    const details = "Load the module tun, which makes it.";
    throw new CniError(ErrorCode.Plugin, `the host has no ${DEVICE}`, details, { cause: error });
  }
}

/** Throws if no tap device could be made. */
export function requireTun(host: Host): void {
  host.close(openTun(host, -1));
}
