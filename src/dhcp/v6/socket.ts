import type { Ip } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import { check, type Host, isErrno } from "../../host/host.ts";
import { IFA_F_DADFAILED, IFA_F_TENTATIVE, listAddresses } from "../../netlink/address.ts";
import { Writer } from "../../netlink/codec.ts";
import { AF_INET6 } from "../../netlink/family.ts";
import type { Reached } from "../container-interface.ts";

/** IPv6 sockets that speak by one interface of a container, from its link-local address. */

const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const RT_SCOPE_LINK = 253;
/** What a link cannot do at the moment: it is down or has gone, or its queue is full, or its address has gone. */
const PASSING = [
  errno.ENETDOWN,
  errno.ENETUNREACH,
  errno.EADDRNOTAVAIL,
  errno.ENODEV,
  errno.ENXIO,
  errno.ENOBUFS,
  errno.ETIMEDOUT,
];

/** struct sockaddr_in6 (linux/in6.h): family, port, flow label, address, and the link that a link-local one is of. */
export function socketAddress(ip: Ip, port: number, link: number): Uint8Array {
  return new Writer(28).u16(AF_INET6).be16(port).u32(0).raw(ip.bytes).u32(link).finish();
}

/** A socket by this interface alone, bound to an address of it. SysError. */
export function openSocket(
  { netns, link }: Reached,
  type: number,
  protocol: number,
  source: Ip,
  port = 0,
): number {
  const { host } = netns;
  const fd = check("socket", host.sys.socket(netns.fd, AF_INET6, type, protocol), "IPv6");
  try {
    setOption(host, fd, SOL_SOCKET, SO_BINDTODEVICE, host.encode(`${link.name}\0`));
    check("bind", host.sys.bind(fd, socketAddress(source, port, link.index)), `${source} port ${port}`);
    return fd;
  } catch (error) {
    host.close(fd);
    throw error;
  }
}

export function setOption(host: Host, fd: number, level: number, option: number, value: Uint8Array): void {
  check("setsockopt", host.sys.setsockopt(fd, level, option, value), `option ${option}`);
}

/** Whether a link that refused may do it a moment later: it is just coming up, or has lost its carrier. */
export function isPassing(error: unknown): boolean {
  return isErrno(error, ...PASSING);
}

/**
 * The interface's link-local address; undefined while it has none that can be used. It comes a moment after the
 * carrier.
 */
export function linkLocalAddress({ netns, link }: Reached): Ip | undefined {
  const addresses = netns.route.dump(listAddresses({ link: link.index, family: 6 }));
  return addresses.find(
    ({ scope, flags }) => scope === RT_SCOPE_LINK && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0,
  )?.cidr.ip;
}
