import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openHost } from "../host/node.node.ts";
import { parseConfigList } from "../spec/config.ts";
import { spawnedPrograms } from "./programs.node.ts";
import { createRuntime, type RuntimeOptions } from "./runtime.ts";

/** One call of a scripted plugin, as it saw it. */
export interface SeenCall {
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they like
  readonly request: any;
}

/** For tests: directories of a runtime's own, and plugins that are shell scripts. */
export class Scripted {
  readonly dir = mkdtempSync(join(tmpdir(), "plumb-runtime-"));
  readonly host = openHost();
  readonly stderr: string[] = [];
  readonly paths = {
    path: [join(this.dir, "bin")],
    confDir: join(this.dir, "net.d"),
    cacheDir: join(this.dir, "cache"),
  };

  constructor(test: TestContext) {
    for (const name of ["bin", "net.d", "calls"]) mkdirSync(join(this.dir, name));
    test.after(() => rmSync(this.dir, { recursive: true }));
  }

  runtime(options: Partial<RuntimeOptions> = {}) {
    const onStderr = (text: string) => this.stderr.push(text);
    return createRuntime({
      host: this.host,
      programs: spawnedPrograms(),
      onStderr,
      ...this.paths,
      ...options,
    });
  }

  /** A plugin that notes its call, then does what the shell script says: `$CNI_COMMAND` tells the verb. */
  plugin(type: string, script: string): void {
    const calls = join(this.dir, "calls");
    const file = join(this.dir, "bin", type);
    writeFileSync(
      file,
      `#!/bin/sh
call=${calls}/$(ls ${calls} | wc -l)-${type}
mkdir $call && env > $call/env && cat > $call/stdin
${script}
`,
    );
    chmodSync(file, 0o755);
  }

  file(name: string, text: string): string {
    const path = join(this.dir, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  calls(): SeenCall[] {
    const names = readdirSync(join(this.dir, "calls"));
    return names
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .map((name) => {
        const read = (file: string) => readFileSync(join(this.dir, "calls", name, file), "utf8");
        const env = Object.fromEntries(
          read("env")
            .split("\n")
            .map((line) => line.split(/=(.*)/s, 2)),
        );
        return { plugin: name.replace(/^\d+-/, ""), env, request: JSON.parse(read("stdin")) };
      });
  }

  /** Calls as "ADD a", in their order. */
  order(): string[] {
    return this.calls().map(({ plugin, env }) => `${env["CNI_COMMAND"]} ${plugin}`);
  }
}

/** A network of these plugins. */
export function networkOf(types: readonly (string | object)[], more: object = {}) {
  const plugins = types.map((type) => (typeof type === "string" ? { type } : type));
  return parseConfigList({ cniVersion: "1.1.0", name: "net1", ...more, plugins });
}

export const attachment = { containerId: "c1", netns: "/run/netns/none", ifName: "eth0" };
