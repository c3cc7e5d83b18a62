// Traffic that goes on while a host is changed: a TCP connection, and pings. It tells whether anything was lost.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { end } from "./mixed.ts";
import { until } from "./program.ts";
import type { Container } from "./world.ts";

const ECHO = `require("node:net").createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(80, "::", () => console.log("ready"))`;

/** Sends a number every ten milliseconds over one connection, and prints what comes back. */
const CLIENT = `const [address, port] = process.argv.slice(1);
const socket = require("node:net").connect(port, address, () => {
  let number = 0;
  setInterval(() => socket.write(number++ + "\\n"), 10);
});
socket.on("data", (data) => process.stdout.write(data));
for (const event of ["error", "close"]) socket.on(event, () => console.log(event));`;

/** Starts a program in a container; gives its lines as they come. */
function start(t: TestContext, { world, id }: Container, ...command: string[]) {
  const child = world.spawn(t, "ip", "netns", "exec", id, ...command);
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  return { child, lines };
}

/** Sends back what it is sent by TCP at port 80. */
export async function echo(t: TestContext, container: Container): Promise<void> {
  const { lines } = start(t, container, process.execPath, "-e", ECHO);
  await until("somebody to listen", () => lines.length > 0);
}

/** Numbers that must come one after the other, from `first`. */
class Sequence {
  readonly #what: string;
  readonly #child: ChildProcess;
  readonly #numbers: () => string[];

  constructor(what: string, child: ChildProcess, numbers: () => string[]) {
    this.#what = what;
    this.#child = child;
    this.#numbers = numbers;
  }

  /** Awaits some more of them, all in order. */
  async goesOn(): Promise<void> {
    const before = this.#numbers().length;
    await until("the next numbers", () => this.#numbers().length > before + 10, {
      explain: () => `${this.#what} ends after ${this.#numbers().at(-1)}`,
    });
    const numbers = this.#numbers();
    const first = Number(numbers[0]);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => `${first + index}`),
      this.#what,
    );
  }

  async end(): Promise<void> {
    await this.goesOn();
    await end(this.#child);
  }
}

/** One TCP connection, over which numbers go to and fro. */
export function connection(t: TestContext, from: Container, address: string, port: number): Sequence {
  const { child, lines } = start(t, from, process.execPath, "-e", CLIENT, address, String(port));
  return new Sequence(`the connection to ${address}`, child, () => lines);
}

/** Fifty pings a second. */
export function pings(t: TestContext, from: Container, address: string): Sequence {
  const { child, lines } = start(t, from, "ping", "-n", "-i", "0.02", address);
  const numbers = () => lines.flatMap((line) => /icmp_seq=(\d+) .*time=/.exec(line)?.[1] ?? []);
  return new Sequence(`ping of ${address}`, child, numbers);
}
