import type { Host } from "../../src/host/host.ts";
import { type Case, equal, fails, truthy } from "./case.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const POLLIN = 1;
const FIONREAD = 0x541b;
const TUNGETFEATURES = 0x800454cf;
const NS_GET_NSTYPE = 0xb703;
const CLONE_NEWNET = 0x40000000;

export const socketCases: readonly Case[] = [
  {
    name: "sockets: what a wrong descriptor gives",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const some = new Uint8Array(4);
      host.writeFile(`${directory}/file`, "");
      const file = host.open(`${directory}/file`, 0);
      for (const [fd, error] of [
        [9999, "EBADF"],
        [file, "ENOTSOCK"],
      ] as const) {
        fails(sys.bind(fd, some), error);
        fails(sys.connect(fd, some, 1000), error);
        fails(sys.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, some), error);
        fails(sys.filter(fd, some), error);
        fails(sys.send(fd, some, 1000), error);
        fails(sys.sendto(fd, some, some, 1000), error);
        fails(sys.recv(fd, some, 1000), error);
      }
      fails(sys.ioctl(9999, FIONREAD, 0, some), "EBADF");
      fails(sys.ioctl(file, TUNGETFEATURES, 0, some), "ENOTTY");
      host.close(file);
    },
  },
  {
    name: "ioctl: a struct that the request fills in, or a number",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const [client, server] = connected(host, `${directory}/socket`);
      equal(sys.send(client, host.encode("hello"), 1000), 5);
      const waiting = new Uint8Array(4);
      equal(sys.ioctl(server, FIONREAD, 0, waiting), 0);
      equal([...waiting], [5, 0, 0, 0]);
      // The kernel writes four bytes: the others are not ours to lose.
      const part = new Uint8Array([9, 9, 9, 9]);
      equal(sys.ioctl(server, FIONREAD, 0, part.subarray(0, 1)), 0);
      equal([...part], [5, 9, 9, 9]);
      fails(sys.ioctl(server, FIONREAD, 0, new Uint8Array(257)), "EINVAL");
      const namespace = host.open("/proc/self/ns/net", 0);
      equal(sys.ioctl(namespace, NS_GET_NSTYPE, 0, new Uint8Array()), CLONE_NEWNET);
      for (const fd of [client, server, namespace]) host.close(fd);
    },
  },
  {
    name: "a stream: listen, connect, accept, send, receive, end",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const address = unixAddress(host, `${directory}/socket`);
      const listener = sys.socket(-1, AF_UNIX, SOCK_STREAM, 0);
      const client = sys.socket(-1, AF_UNIX, SOCK_STREAM, 0);
      fails(sys.connect(client, address, 1000), "ENOENT");
      equal(sys.bind(listener, address), 0);
      fails(sys.bind(client, address), "EADDRINUSE");
      fails(sys.connect(client, address, 1000), "ECONNREFUSED");
      equal(sys.listen(listener, 1), 0);
      fails(sys.accept(listener, 30), "ETIMEDOUT");
      equal(sys.connect(client, address, 1000), 0);
      const server = sys.accept(listener, 1000);
      truthy(server > 0, "accepted");
      const into = new Uint8Array(10);
      fails(sys.recv(server, into, 30), "ETIMEDOUT");
      equal(sys.send(client, host.encode("hello"), 1000), 5);
      equal(sys.recv(server, into, 1000), 5);
      equal(host.decode(into.subarray(0, 5)), "hello");
      host.write(server, host.encode("by write"));
      equal(sys.read(client, into, 1000), 8);
      host.close(server);
      equal(sys.recv(client, into, 1000), 0, "the end");
      fails(sys.send(client, into, 1000), "EPIPE");
      fails(sys.write(client, into, 1000), "EPIPE");
      host.close(client);
      host.close(listener);
    },
  },
  {
    name: "a stream that nobody reads: sending and writing time out",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const [client, server] = connected(host, `${directory}/socket`);
      const data = new Uint8Array(65536);
      let sent = 0;
      let result = 0;
      for (; result >= 0; sent += Math.max(0, result)) result = sys.send(client, data, 30);
      fails(result, "ETIMEDOUT");
      fails(sys.write(client, data, 30), "ETIMEDOUT");
      host.close(client);
      equal(host.readAll(server, sent, 1000).length, sent);
      host.close(server);
    },
  },
  {
    name: "a listener whose queue is full: connecting times out",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const address = unixAddress(host, `${directory}/socket`);
      const listener = sys.socket(-1, AF_UNIX, SOCK_STREAM, 0);
      equal([sys.bind(listener, address), sys.listen(listener, 0)], [0, 0]);
      const clients: number[] = [];
      for (let result = 0; result === 0 && clients.length < 10; ) {
        clients.push(sys.socket(-1, AF_UNIX, SOCK_STREAM, 0));
        result = sys.connect(clients.at(-1)!, address, 30);
        if (result !== 0) fails(result, "ETIMEDOUT");
      }
      truthy(clients.length < 10, "the queue is short");
      for (const fd of [listener, ...clients]) host.close(fd);
    },
  },
  {
    name: "datagrams: sendto, and one that is longer than the buffer",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const address = unixAddress(host, `${directory}/socket`);
      const receiver = sys.socket(-1, AF_UNIX, SOCK_DGRAM, 0);
      const sender = sys.socket(-1, AF_UNIX, SOCK_DGRAM, 0);
      equal(sys.bind(receiver, address), 0);
      const into = new Uint8Array(5);
      equal(sys.sendto(sender, host.encode("first"), address, 1000), 5);
      equal(sys.sendto(sender, host.encode("longer"), address, 1000), 6);
      equal(sys.recv(receiver, into, 1000), 5);
      fails(sys.recv(receiver, into, 1000), "EMSGSIZE");
      equal(sys.connect(sender, address, 1000), 0);
      equal(sys.setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, new Uint8Array([0, 16, 0, 0])), 0);
      fails(sys.setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, new Uint8Array(1)), "EINVAL");
      host.close(sender);
      host.close(receiver);
    },
  },
  {
    name: "a filter chooses what a socket receives, and how much of it",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const address = unixAddress(host, `${directory}/socket`);
      const receiver = sys.socket(-1, AF_UNIX, SOCK_DGRAM, 0);
      const sender = sys.socket(-1, AF_UNIX, SOCK_DGRAM, 0);
      equal(sys.bind(receiver, address), 0);
      const firstByteIsY = [
        [0x30, 0, 0, 0, 0, 0, 0, 0], // A = byte 0
        [0x15, 0, 0, 1, 0x79, 0, 0, 0], // if A == "y" go on, else skip one
        [0x06, 0, 0, 0, 4, 0, 0, 0], // keep 4 bytes
        [0x06, 0, 0, 0, 0, 0, 0, 0], // drop
      ].flat();
      equal(sys.filter(receiver, new Uint8Array(firstByteIsY)), 0);
      for (const text of ["no", "yes", "nono", "yellow"])
        equal(sys.sendto(sender, host.encode(text), address, 1000), text.length);
      const into = new Uint8Array(10);
      equal(sys.recv(receiver, into, 1000), 3);
      equal(host.decode(into.subarray(0, 3)), "yes");
      equal(sys.recv(receiver, into, 1000), 4);
      equal(host.decode(into.subarray(0, 4)), "yell");
      fails(sys.recv(receiver, into, 30), "ETIMEDOUT");
      fails(sys.filter(receiver, new Uint8Array()), "EINVAL");
      // A program that does not end with a verdict.
      fails(sys.filter(receiver, new Uint8Array(firstByteIsY.slice(0, 8))), "EINVAL");
      host.close(sender);
      host.close(receiver);
    },
  },
  {
    name: "poll tells which descriptor is ready, or none in time",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const [client, server] = connected(host, `${directory}/socket`);
      const set = new DataView(new ArrayBuffer(16));
      set.setInt32(0, client, true);
      set.setInt16(4, POLLIN, true);
      set.setInt32(8, server, true);
      set.setInt16(12, POLLIN, true);
      const fds = new Uint8Array(set.buffer);
      const start = host.clock(1);
      equal(sys.poll(fds, 20), 0);
      truthy(host.clock(1) - start >= 19e6, "waited");
      equal(sys.poll(fds, -1), 0, "a negative time is over at once");
      equal(sys.send(client, new Uint8Array(1), 1000), 1);
      equal(sys.poll(fds, 1000), 1);
      equal([set.getInt16(6, true), set.getInt16(14, true)], [0, POLLIN]);
      host.close(client);
      host.close(server);
    },
  },
];

/** struct sockaddr_un. */
function unixAddress(host: Host, path: string): Uint8Array {
  return new Uint8Array([AF_UNIX, 0, ...host.encode(path), 0]);
}

function connected(host: Host, path: string): [client: number, server: number] {
  const { sys } = host;
  const address = unixAddress(host, path);
  const listener = sys.socket(-1, AF_UNIX, SOCK_STREAM, 0);
  const client = sys.socket(-1, AF_UNIX, SOCK_STREAM, 0);
  equal(
    [sys.bind(listener, address), sys.listen(listener, 1), sys.connect(client, address, 1000)],
    [0, 0, 0],
  );
  const server = sys.accept(listener, 1000);
  sys.close(listener);
  return [client, server];
}
