import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { Cgroups } from "./cgroups.ts";

const own = `import { Cgroups } from ${JSON.stringify(new URL("cgroups.ts", import.meta.url).href)};
  console.log(new Cgroups().joining(["true"]).join(" "));
  setInterval(() => {}, 1000);`;

test("cgroups of a run that was killed are removed by the next", async (t) => {
  const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "--eval", own], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  const folders = `${line}`.match(/\/\S*plumb-test-\S+(?=;| )/g)!.map((path) => path.replace(/;$/, ""));
  assert.ok(folders.length > 0 && folders.every((folder) => existsSync(folder)), `${line}`);
  child.kill("SIGKILL");
  await once(child, "exit");
  const cgroups = new Cgroups();
  t.after(() => cgroups.remove());
  assert.deepEqual(
    folders.filter((folder) => existsSync(folder)),
    [],
  );
});
