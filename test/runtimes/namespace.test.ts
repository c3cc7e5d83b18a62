import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { plumb } from "../programs.ts";
import { commandsOf } from "./page.ts";
import { RuntimeHost, withPrograms } from "./runtime-host.ts";

// Namespaces by hand, and containers of runc that its hooks attach: as docs/runtimes/namespace.md shows them.

/** What the page's blocks are known by. */
const [NETWORK, HOOK, BUNDLE] = ["10-office.conflist", "tee /usr/local/sbin/plumb-hook", "config.json"];

async function start(t: TestContext): Promise<RuntimeHost> {
  const host = await RuntimeHost.boot(t);
  host.must("rm", "-r", "/etc/cni/net.d");
  host.must("ln", "--symbolic", plumb, "/usr/local/bin/plumb");
  host.must("ln", "--symbolic", "/usr/bin/env", "/usr/local/bin/sudo");
  return host;
}

/** Pastes blocks of the page, one after the other, into one shell; gives what each printed. */
function paste(host: RuntimeHost, blocks: readonly string[]): string[] {
  const script = blocks.map((block) => `${block}\necho end of a block`).join("\n");
  const { code, stdout, stderr } = host.exec(["sh", "-ec", script]);
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout.split("end of a block\n");
}

describe("namespaces", withPrograms(["runc"]), () => {
  it("the commands of docs/runtimes/namespace.md, pasted: ip netns, plumb run, runc with hooks; nothing is left", async (t) => {
    const host = await start(t);
    const blocks = commandsOf("namespace.md");
    const printed = paste(host, blocks);
    const all = (text: string) => blocks.filter((block) => block.includes(text)).length;
    assert.equal(printed.filter((text) => / 1 received/.test(text)).length, all("ping -c"));
    assert.equal(printed.filter((text) => text.endsWith("a page from runc\n")).length, all("curl"));
    const { links, files, rules } = host.state();
    assert.deepEqual(
      links.map(({ ifname }: { ifname: string }) => ifname),
      ["lo", "office0"],
    );
    assert.deepEqual([files, host.must("ls", "/var/lib/cni/results")], [[""], ""]);
    assert.doesNotMatch(rules.join("\n"), /10\.88\.0\.[2-9]|8080/);
  });

  it("runc: an ADD that fails keeps the container from starting, is told by runc, and leaves nothing", async (t) => {
    const host = await start(t);
    const chosen = commandsOf("namespace.md").filter((block) =>
      [NETWORK, HOOK, BUNDLE].some((text) => block.includes(text)),
    );
    const [network, hook, bundle] = chosen.map((block) =>
      block.replace(/^(sudo (ip|plumb|runc) |curl ).*\n/gm, ""),
    );
    paste(host, [network!, hook!, bundle!]);
    host.must("ip", "link", "add", "office0", "type", "veth");
    const before = host.state();
    const { code, stderr } = host.exec(["runc", "run", "--bundle", "/var/tmp/web", "web"]);
    assert.notEqual(code, 0);
    assert.match(stderr, /office0\\*" already exists but is not a bridge/);
    assert.equal(host.must("runc", "list", "--quiet"), "");
    assert.deepEqual(host.state(), before);
  });
});
