import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import * as framework from "../../src/net/firewall/framework.ts";
import { acceptByNftables, addressSet, hasFramework } from "../../src/net/firewall/nftables.ts";
import { removeFromNftables } from "../../src/net/firewall/nftables-remove.ts";
import type { FirewallWish } from "../../src/net/firewall/wish.ts";
import { listElements } from "../../src/netlink/nftables/element.ts";
import { HostNamespace } from "./host-namespace.ts";

const RELEASE = "/proc/sys/kernel/osrelease";

function wishIn({ netns }: HostNamespace, containerId = "c1"): FirewallWish {
  const addresses = ["10.1.0.2/24", "fd01::2/64"].map((text) => parseCidr(text)!);
  return { netns, network: "net", containerId, ifName: "eth0", addresses, adminChain: "CNI-ADMIN" };
}

function onKernel(t: TestContext, release: string | undefined): HostNamespace {
  const host = new HostNamespace(t);
  const { readFile } = host.netns.host;
  if (release !== undefined)
    host.netns.host.readFile = function (path) {
      return path === RELEASE ? release : readFile.call(this, path);
    };
  return host;
}

/** Addresses with what is left of their time, if that has an end. */
function addresses({ netns }: HostNamespace): string[] {
  return ([4, 6] as const).flatMap((family) =>
    netns.netfilter
      .dump(listElements(addressSet(family)))
      .flat()
      .map(({ comment, timeoutMs }) => `${family} ${/id: (.*)/.exec(comment ?? "")?.[1]} ${timeoutMs ?? ""}`),
  );
}

for (const release of ["5.10.0-8-amd64", "6.11.3", undefined])
  test(`addresses go with their container, on Linux ${release ?? "as it is"}`, (t) => {
    const host = onKernel(t, release);
    const [one, two] = [wishIn(host), wishIn(host, "c2")];
    acceptByNftables(one, framework);
    assert.equal(hasFramework(one), true);
    acceptByNftables(two, undefined);
    assert.deepEqual(addresses(host), ["4 c1 ", "6 c1 "]);
    assert.equal(removeFromNftables(host.netns, one, one.addresses), true);
    assert.equal(removeFromNftables(host.netns, one, one.addresses), false);
    assert.deepEqual(addresses(host), ["4 c2 ", "6 c2 "]);
    assert.equal(removeFromNftables(host.netns, two), true);
    const staying = addresses(host).filter((line) => line.endsWith(" "));
    assert.deepEqual(staying, []);
    if (release !== undefined) assert.deepEqual(addresses(host), []);
    // Also while they are about to end.
    for (let round = 0; round < 5; round++) {
      const next = wishIn(host, `n${round}`);
      acceptByNftables(next, undefined);
      assert.deepEqual(addresses(host), [`4 n${round} `, `6 n${round} `]);
      assert.equal(removeFromNftables(host.netns, next, next.addresses), true);
    }
  });

test("the framework is made once, and mended", (t) => {
  const host = onKernel(t, undefined);
  const wish: FirewallWish = {
    ...wishIn(host),
    ingress: { policy: "isolated", bridge: "br0", router: "br0", port: "veth0" },
  };
  assert.equal(hasFramework(wish), false);
  acceptByNftables(wish, framework);
  const whole = host.ruleset();
  assert.equal(hasFramework(wish), true);
  acceptByNftables(wish, framework);
  const shared = (line: string) => /^elements = \{ (10\.1\.0\.2|fd01::2) \. /.test(line);
  assert.deepEqual(
    host.ruleset().filter((line) => !shared(line)),
    whole,
  );
  for (const damage of [
    "flush chain inet cni_plugins_firewall forward",
    "add rule inet cni_plugins_firewall forward accept",
    "flush chain bridge cni_plugins_firewall forward",
    "delete table inet cni_plugins_firewall",
    "delete table bridge cni_plugins_firewall",
  ]) {
    host.load(damage);
    assert.equal(hasFramework(wish), false, damage);
    acceptByNftables(wish, framework);
    assert.deepEqual(
      host
        .ruleset()
        .filter((line) => !shared(line))
        .sort(),
      whole.toSorted(),
      damage,
    );
  }
});
