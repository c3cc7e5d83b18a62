import assert from "node:assert/strict";
import { test } from "node:test";
import { command as add } from "./add.ts";
import { command as check } from "./check.ts";
import { command as del } from "./del.ts";
import { command as gc } from "./gc.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { command as run } from "./run.ts";
import { command as status } from "./status.ts";
import { command as version } from "./version.ts";

const commands = { add, check, del, gc, run, status, version };

for (const [name, command] of Object.entries(commands))
  test(`the help of ${name} fits a terminal and names its usage, options and exit codes`, () => {
    const help = commandHelp(command);
    for (const line of help.split("\n")) assert.ok(line.length <= 82, line);
    assert.ok(help.startsWith(`Usage: plumb ${name} [OPTION...]`));
    for (const option of [...Object.keys(command.options), "json", "help"])
      assert.match(help, new RegExp(`--${option}\\b`));
    assert.equal(help.match(/Exit codes:/g)?.length, 1);
    assert.ok(help.endsWith("\n") && !help.endsWith("\n\n"));
  });

test("the general help lists commands and plugins", () => {
  const help = generalHelp({ add: "attach", version: "show" }, ["bridge", "ptp"]);
  assert.match(help, /^ {2}add {6}attach$/m);
  assert.match(help, /^ {2}version {2}show$/m);
  assert.match(help, /^ {2}bridge ptp$/m);
});
