import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Host } from "../../host/host.ts";
import { table } from "../../host/node.node.ts";
import type { Sys } from "../../host/sys.ts";
import { CleanupList } from "../../plugin/cleanup.ts";
import type { Result } from "../../spec/result.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { status } from "./status.ts";

/** IPAM plugins look at none. */
const NO_NAMESPACE = undefined as never;

export interface Options {
  readonly ranges?: unknown;
  readonly ipam?: Record<string, unknown>;
  readonly runtimeConfig?: unknown;
  readonly args?: unknown;
  readonly env?: Record<string, string>;
  readonly cniVersion?: string;
}

/** A data directory of its own, and host-local's verbs on it. */
export class Scratch {
  readonly dataDir: string;
  readonly directory: string;
  readonly index: string;
  host: Host;
  options: Options;

  constructor(context: TestContext, options: Options = {}) {
    this.dataDir = mkdtempSync(join(tmpdir(), "host-local-"));
    this.directory = join(this.dataDir, "net");
    this.index = join(this.dataDir, ".plumb/net");
    this.host = new Host(table());
    this.options = options;
    context.after(() => rmSync(this.dataDir, { recursive: true }));
  }

  /** System calls of the real host, some of them replaced. */
  override(replace: (real: Sys) => Partial<Sys>): void {
    const real = table();
    this.host = new Host({ ...real, ...replace(real) });
  }

  request(containerId: string, ifName = "eth0", options: Options = {}) {
    const {
      ranges,
      ipam,
      runtimeConfig,
      args,
      env = {},
      cniVersion = "1.1.0",
    } = { ...this.options, ...options };
    const rawConfig = {
      ipam: {
        type: "host-local",
        dataDir: this.dataDir,
        ranges: ranges ?? [[{ subnet: "10.1.0.0/24" }]],
        ...ipam,
      },
      runtimeConfig,
      args,
    };
    return {
      host: this.host,
      config: config.parse(rawConfig, ""),
      rawConfig,
      stdin: JSON.stringify(rawConfig),
      cniVersion,
      network: "net",
      netns: NO_NAMESPACE,
      hostNetns: NO_NAMESPACE,
      path: [],
      warn: (text: string) => assert.fail(text),
      containerId,
      ifName,
      args: new Map(Object.entries(env)),
    };
  }

  result(containerId: string, ifName?: string, options?: Options): Result {
    return add(this.request(containerId, ifName, options));
  }

  /** The addresses that ADD gave, without prefix lengths. */
  add(containerId: string, ifName?: string, options?: Options): string[] {
    return (this.result(containerId, ifName, options).ips ?? []).map(({ address }) => `${address.ip}`);
  }

  del(containerId: string, ifName?: string, options?: Options): void {
    const cleanup = new CleanupList();
    del(this.request(containerId, ifName, options), cleanup);
    cleanup.finish();
  }

  check(containerId: string, prevResult?: Result, ifName?: string): void {
    check({ ...this.request(containerId, ifName), ...(prevResult && { prevResult }) });
  }

  status(options?: Options): void {
    status(this.request("", "", options));
  }

  gc(...valid: string[]): void {
    const cleanup = new CleanupList();
    const validAttachments = valid.map((containerId) => ({ containerId, ifName: "eth0" }));
    gc({ ...this.request(""), validAttachments }, cleanup);
    cleanup.finish();
  }

  /** Addresses and the content of their files. */
  files(): Record<string, string> {
    const names = readdirSync(this.directory).filter((name) => /^[0-9a-f.:]+$/.test(name));
    return Object.fromEntries(
      names.sort().map((name) => [name, readFileSync(join(this.directory, name), "latin1")]),
    );
  }

  /** The addresses that the index knows. */
  indexed(): string[] {
    const lines = readdirSync(this.index).flatMap((name) =>
      readFileSync(join(this.index, name), "utf8").trim().split("\n"),
    );
    return lines.map((line) => line.split("\t")[2] ?? "").sort();
  }
}

/** What the reference writes. */
export function held(containerId: string, ifName = "eth0"): string {
  return `${containerId}\r\n${ifName}`;
}
