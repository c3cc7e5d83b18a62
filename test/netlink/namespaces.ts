import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type Host, O_RDONLY } from "../../src/host/host.ts";
import { openHost } from "../../src/host/node.node.ts";
import { getLink, type Link } from "../../src/netlink/link.ts";
import { NETLINK_ROUTE } from "../../src/netlink/message.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";

/** A fresh network namespace for one test, with a socket in it; both are gone when the test ends. */
export class TestNamespace {
  readonly host: Host = openHost();
  readonly name = `plumb-${randomBytes(5).toString("hex")}`;
  readonly fd: number;
  readonly socket: NetlinkSocket;

  constructor(t: TestContext) {
    execFileSync("ip", ["netns", "add", this.name]);
    this.fd = this.host.open(`/run/netns/${this.name}`, O_RDONLY);
    this.socket = NetlinkSocket.open(this.host, this.fd, NETLINK_ROUTE);
    t.after(() => {
      this.socket.close();
      this.host.close(this.fd);
      execFileSync("ip", ["netns", "delete", this.name]);
    });
  }

  /** What a program prints in this namespace. */
  run(program: string, ...args: string[]): string {
    return execFileSync("ip", ["netns", "exec", this.name, program, ...args], { encoding: "utf8" });
  }

  /** What iproute2 prints of the objects, as JSON: the witness of what the kernel has. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is iproute2's.
  ip(...args: string[]): any[] {
    const text = execFileSync("ip", ["-n", this.name, "-j", "-d", ...args], { encoding: "utf8" });
    return text.trim() === "" ? [] : JSON.parse(text);
  }

  /** As `ip`, of the program bridge. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is iproute2's.
  bridge(...args: string[]): any[] {
    return JSON.parse(execFileSync("bridge", ["-n", this.name, "-j", "-d", ...args], { encoding: "utf8" }));
  }

  link(name: string): Link {
    const link = this.socket.query(getLink(name));
    assert.ok(link, `no link ${name}`);
    return link;
  }
}
