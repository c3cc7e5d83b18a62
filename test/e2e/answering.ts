// Programs that answer with their name and whom they saw asking, another machine beyond the host, and who asks them.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { type Container, World } from "./world.ts";

export type Transport = "tcp" | "udp";

const SERVER = `const [id, ...ports] = process.argv.slice(1);
const answer = (address) => id + " " + address.replace("::ffff:", "");
let missing = ports.length * 2;
const ready = () => --missing === 0 && console.log("ready");
for (const port of ports.map(Number)) {
  const tcp = require("node:net").createServer((socket) => socket.on("error", () => {}).end(answer(socket.remoteAddress)));
  tcp.listen(port, "::", ready);
  const udp = require("node:dgram").createSocket("udp6");
  udp.on("message", (_, { address, port }) => udp.send(answer(address), port, address)).bind(port, "::", ready);
}`;

const CLIENT = `const [address, port] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (answer) => console.log(String(answer))).bind(50505, () => {
  setInterval(() => socket.send("who?", port, address), 20);
});`;

/** Answers at these ports, by TCP and UDP: the container's ID, or `host`, and the address of who asks. Gives who does. */
export async function answer(
  t: TestContext,
  at: World | Container,
  ...ports: number[]
): Promise<ReturnType<World["spawn"]>> {
  const [world, id, entering] =
    at instanceof World ? [at, "host", []] : [at.world, at.id, ["ip", "netns", "exec", at.id]];
  const command = [...entering, process.execPath, "-e", SERVER, id, ...ports.map(String)];
  const server = world.spawn(t, ...command);
  for await (const line of createInterface(server.stdout)) {
    assert.equal(line, "ready");
    break;
  }
  return server;
}

/** What is answered to who asks from the host or a container; "" if nothing is. */
export function ask(
  from: World | Container,
  address: string,
  port: number,
  transport: Transport = "tcp",
  seconds = 5,
): string {
  const script =
    transport === "tcp"
      ? `exec 3<>/dev/tcp/${address}/${port} && cat <&3`
      : `exec 3<>/dev/udp/${address}/${port} && echo who? >&3 && dd bs=500 count=1 <&3`;
  const command = ["timeout", String(seconds), "bash", "-c", script];
  return (from instanceof World ? from.exec(command) : from.exec(...command)).stdout;
}

/** Asks by UDP again and again, always from the same port, as resolvers do; gives the answers as they come. */
export function keepAsking(t: TestContext, { world, id }: Container, address: string, port: number) {
  const client = world.spawn(
    t,
    ...["ip", "netns", "exec", id, process.execPath, "-e", CLIENT, address, String(port)],
  );
  return createInterface(client.stdout)[Symbol.asyncIterator]();
}

/** A machine on a network of the host, 192.0.2.2 and fd99::2, which knows no way to containers. */
export function outside(world: World): Container {
  const machine = world.container("outside");
  // Else neighbours are found only after the detection of duplicates, a second later.
  for (const where of [world, machine]) where.must("sysctl", "-q", "net.ipv6.conf.default.accept_dad=0");
  world.must(..."ip link add up0 type veth peer name eth0 netns outside".split(" "));
  for (const [address, peer] of [
    ["192.0.2.1/24", "192.0.2.2/24"],
    ["fd99::1/64", "fd99::2/64"],
  ] as const) {
    world.must("ip", "address", "add", address, "dev", "up0");
    machine.must("ip", "address", "add", peer, "dev", "eth0");
  }
  world.must("ip", "link", "set", "up0", "up");
  machine.must("ip", "link", "set", "eth0", "up");
  return machine;
}
