import { type Ip, parseIp } from "../../address/ip.ts";
import { check } from "../../host/host.ts";
import type { Reached } from "../container-interface.ts";
import { type Probe, type ProbeContext, probeDuplicate } from "./neighbour-probe.ts";
import { isPassing, linkLocalAddress, openSocket, socketAddress } from "./socket.ts";

/** How a client reaches the servers, and the neighbours, of its link. */
export interface Transport {
  /**
   * Opens a way to the servers; undefined while the interface cannot send. `received` is told what comes back, from
   * callbacks of the scheduler. InterfaceGone, SysError.
   */
  open(received: (datagram: Uint8Array) => void): Channel | undefined;
  /** As `probeDuplicate`. */
  probe(address: Ip, windowMs: number, done: (duplicate: boolean) => void): Probe;
}

export interface Channel {
  /** To all servers and relays of the link. False if the interface cannot send now. SysError. */
  send(datagram: Uint8Array): boolean;
  close(): void;
}

const SOCK_DGRAM = 2;
/** RFC 8415, sections 7.1 and 7.2. */
const CLIENT_PORT = 546;
const SERVER_PORT = 547;
const ALL_RELAY_AGENTS_AND_SERVERS = "ff02::1:2";
/** Answers have some hundred bytes; longer ones are not for us. */
const LONGEST = 4096;

/** By UDP on the container's interface. */
export function udpTransport(context: ProbeContext): Transport {
  return {
    open: (received) => openChannel(context, received),
    probe: (address, windowMs, done) => probeDuplicate(context, address, windowMs, done),
  };
}

function openChannel(
  { host, scheduler, target }: ProbeContext,
  received: (datagram: Uint8Array) => void,
): Channel | undefined {
  const socket = target.use(open);
  if (socket === undefined) return undefined;
  const { fd, servers } = socket;
  const watch = scheduler.watch(fd, () => {
    const datagram = new Uint8Array(LONGEST);
    const length = host.sys.recv(fd, datagram, 0);
    // A link that goes down is told as an error; the next transmission meets it.
    if (length > 0) received(datagram.subarray(0, length));
  });
  return {
    send(datagram) {
      return trying(() => check("send", host.sys.sendto(fd, datagram, servers, 0), "DHCPv6")) !== undefined;
    },
    close() {
      watch.stop();
      host.close(fd);
    },
  };
}

function open(reached: Reached): { fd: number; servers: Uint8Array } | undefined {
  const source = linkLocalAddress(reached);
  if (source === undefined) return undefined;
  const fd = trying(() => openSocket(reached, SOCK_DGRAM, 0, source, CLIENT_PORT));
  if (fd === undefined) return undefined;
  const servers = socketAddress(parseIp(ALL_RELAY_AGENTS_AND_SERVERS)!, SERVER_PORT, reached.link.index);
  return { fd, servers };
}

/** Undefined if the link refuses only for now. */
function trying(work: () => number): number | undefined {
  try {
    return work();
  } catch (error) {
    if (!isPassing(error)) throw error;
    return undefined;
  }
}
