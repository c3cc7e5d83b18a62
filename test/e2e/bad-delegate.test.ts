import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Asked,
  ask,
  type Environment,
  isRefused,
  processes,
  succeeded,
  untouched,
  variables,
} from "./ask.ts";
import type { Json, World } from "./world.ts";

// IPAM plugins that misbehave: what they did is told with the right code, and nothing is left behind.

const bridge = (more: object = {}) => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  bridge: "br0",
  isGateway: true,
  ipam: { type: "strange" },
  ...more,
});

function add(world: World, config: Json, environment: Environment = {}, command = "ADD"): Asked {
  return ask(world, config.type, { ...variables(world, command), ...environment }, config);
}

/** Puts the plugin `strange` into CNI_PATH. */
function provide(world: World, content: string, mode = 0o755): void {
  const file = join(world.bin, "strange");
  writeFileSync(file, content);
  chmodSync(file, mode);
}

const ADDRESS = JSON.stringify({ cniVersion: "1.1.0", ips: [{ address: "10.9.0.2/24" }] });
const error = (fields: object) => `echo '${JSON.stringify({ cniVersion: "1.1.0", ...fields })}'`;
const UNDONE = /\nNot everything could be undone:\ncannot release the addresses of strange: plugin strange /;

/** Scripts behave so at each command: DEL, which follows the failed ADD, too. */
const rows: [what: string, script: string, code: number, msg: string | RegExp, details?: RegExp][] = [
  ["prints no JSON", "echo hello", 6, "plugin strange printed no JSON", /^It printed "hello\\n"\.$/],
  [
    "prints half of a result",
    `printf '${ADDRESS.slice(0, 30)}'`,
    6,
    "plugin strange printed no JSON",
    /It printed/,
  ],
  ["prints nothing", "exit 0", 100, "IPAM plugin returned missing IP config", /strange/],
  ["prints an empty result", "echo '{}'", 100, "IPAM plugin returned missing IP config", /strange/],
  [
    "prints a list",
    "echo '[]'",
    6,
    "plugin strange printed no result: invalid result: expected an object, got []",
  ],
  [
    "prints a wrong address",
    `echo '${ADDRESS.replace("/24", "/240")}'`,
    6,
    /^plugin strange printed no result: invalid result\.ips\[0\]\.address: .* got "10\.9\.0\.2\/240"$/,
  ],
  [
    "prints a version that nobody knows",
    `echo '${ADDRESS.replace("1.1.0", "9.9.9")}'`,
    1,
    'plugin strange printed no result: a result of the unknown version "9.9.9"',
  ],
  [
    "fails without a word",
    "exit 3",
    100,
    "plugin strange ended with exit code 3 without an error object",
    /^It printed nothing\. .*stderr/,
  ],
  [
    "fails with a word",
    "echo help; exit 1",
    100,
    /^plugin strange ended with exit code 1/,
    /^It printed "help\\n"\./,
  ],
  [
    "fails with a result",
    `echo '${ADDRESS}'; exit 1`,
    100,
    /^plugin strange ended with exit code 1/,
    /It printed/,
  ],
  ["is killed", "kill -9 $$", 100, "plugin strange was ended by signal 9 without an error object", UNDONE],
  ["crashes", "kill -SEGV $$", 100, "plugin strange was ended by signal 11 without an error object", UNDONE],
  ["refuses", `${error({ code: 123, msg: "no", details: "never" })}; exit 1`, 123, "no", /^never/],
  ["refuses with success", error({ code: 11, msg: "later" }), 11, "later"],
  ["refuses without a code", `${error({ code: 0, msg: "no code" })}; exit 1`, 100, "no code"],
  ["refuses in another case", `${error({ Code: 50, Msg: "no", Details: "why" })}; exit 1`, 50, "no", /^why/],
  ["does not read its stdin", "exec <&-; echo nothing", 6, "plugin strange printed no JSON"],
  [
    "never stops printing",
    "exec yes",
    5,
    /^cannot run plugin strange: run .*\/strange: EFBIG$/,
    /more than any result/,
  ],
];
test(
  "a delegate that goes wrong is told about, and what was made is undone",
  untouched(async (world, same, t) => {
    for (const [what, script, code, msg, details] of rows)
      await t.test(what, () => {
        provide(world, `#!/bin/sh\n${script}\n`);
        const config = bridge({ filler: "x".repeat(1 << 17) });
        isRefused(add(world, config), code, msg, details);
        same();
      });
  }),
);

test(
  "a delegate that does not end is killed, with what it started",
  untouched((world) => {
    for (const script of [
      "exec sleep 1000",
      "sleep 1000 & sleep 1000 & wait",
      "trap '' TERM INT HUP; sleep 1000",
    ]) {
      provide(world, `#!/bin/sh\n${script}\n`);
      isRefused(
        add(world, bridge(), { PLUMB_TIMEOUT_MS: "250" }),
        11,
        "plugin strange did not end within 0.25 s",
        /\/strange was killed\. PLUMB_TIMEOUT_MS .*\nNot everything could be undone:\ncannot release .* 0\.25 s$/s,
      );
      assert.deepEqual(processes(world), []);
    }
  }),
);

const files: [what: string, content: string, mode: number, code: number, msg: RegExp, details: RegExp][] = [
  ["may not be executed", "#!/bin/sh\n", 0o644, 5, /^cannot run plugin strange: .*: EACCES$/, /chmod \+x/],
  ["is empty", "", 0o755, 5, /^cannot run plugin strange: .*: ENOEXEC$/, /#!\/bin\/sh/],
  [
    "lacks its interpreter",
    "#!/no/such/shell\n",
    0o755,
    5,
    /^cannot run plugin strange: .*: ENOENT$/,
    /interpreter/,
  ],
];
test(
  "a delegate that cannot be run is told about",
  untouched(async (world, same, t) => {
    for (const [what, content, mode, code, msg, details] of files)
      await t.test(what, () => {
        provide(world, content, mode);
        isRefused(add(world, bridge()), code, msg, details);
        same();
      });
  }),
);

test(
  "a delegate that is missing is told about at every command, with where it was searched",
  untouched((world) => {
    const config = bridge({ prevResult: { cniVersion: "1.1.0" } });
    const gc = { ...config, "cni.dev/valid-attachments": [] };
    // No regular file is no plugin.
    mkdirSync(join(world.bin, "strange"));
    const path = `/no/such/folder:${world.bin}`;
    for (const [command, stdin] of [
      ["ADD", config],
      ["CHECK", config],
      ["STATUS", config],
      ["GC", gc],
      ["DEL", config],
    ] as const)
      isRefused(
        add(world, stdin, { CNI_PATH: path }, command),
        7,
        /plugin strange not found$/,
        new RegExp(`directories of CNI_PATH: /no/such/folder, ${world.bin}\\. Install it`),
      );
    isRefused(
      add(world, config, { CNI_PATH: undefined }),
      7,
      "plugin strange not found",
      /CNI_PATH, which is empty/,
    );
  }),
);

test(
  "a delegate whose DEL fails is told about, and the interface goes all the same",
  untouched((world) => {
    provide(world, `#!/bin/sh\ntest $CNI_COMMAND = ADD && echo '${ADDRESS}'\n`);
    succeeded(add(world, bridge()));
    isRefused(
      add(world, bridge(), {}, "DEL"),
      100,
      "cannot release the addresses: plugin strange ended with exit code 1 without an error object",
    );
    assert.deepEqual(world.veths(), []);
    world.must("ip", "link", "delete", "br0");
  }),
);
