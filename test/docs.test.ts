import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** The titles of a file's tests; "…" stands for what differs from row to row of a table. */
function titlesIn(text: string): string[] {
  const titles = text.matchAll(/\b(?:test|it)\(\s*(["`])(.*?)\1\s*,/g);
  // Rows of a table that another file makes tests of.
  const rows = text.includes("testMixed(") ? text.matchAll(/\bwhat: (["`])(.*?)\1/g) : [];
  return [...titles, ...rows].map(([, , title]) => title!.replaceAll(/\$\{.*?\}/g, "…"));
}

for (const [page, least] of [
  ["docs/specification.md", 80],
  ["docs/differences.md", 30],
  ["docs/runtimes/docker.md", 9],
  ["docs/runtimes/namespace.md", 1],
  ["docs/upgrade.md", 30],
  ["docs/plugins/bandwidth.md", 7],
  ["docs/plugins/bridge.md", 19],
  ["docs/plugins/dhcp.md", 25],
  ["docs/plugins/dummy.md", 1],
  ["docs/plugins/host-device.md", 8],
  ["docs/plugins/firewall.md", 8],
  ["docs/plugins/portmap.md", 14],
  ["docs/plugins/ptp.md", 5],
  ["docs/plugins/loopback.md", 5],
  ["docs/plugins/sbr.md", 4],
  ["docs/plugins/vrf.md", 4],
  ["docs/plugins/tap.md", 10],
  ["docs/plugins/tuning.md", 12],
  ["docs/plugins/ipvlan.md", 7],
  ["docs/plugins/macvlan.md", 11],
  ["docs/plugins/vlan.md", 6],
  ["docs/runtimes/podman.md", 20],
  ["docs/runtimes/buildah.md", 7],
] as const)
  test(`the tests that ${page} names exist`, () => {
    const named = [...read(page).matchAll(/`([\w./-]+\.ts)` "(.*?)"(?=<br>| \||\))/g)];
    assert.ok(named.length >= least);
    for (const [, file, title] of named) {
      assert.ok(existsSync(new URL(`../${file}`, import.meta.url)), file);
      assert.ok(titlesIn(read(file!)).includes(title!), `${file}: "${title}"`);
    }
  });

test("the tests that docs/runtimes/containerd.md names exist", () => {
  const text = read("docs/runtimes/containerd.md").replaceAll(/^```.*?^```/gms, "");
  const named = [...text.matchAll(/(?<=[`,|]) "(\w.*?)"(?=, "| \||\))/g)].map(([, title]) => title!);
  assert.ok(named.length >= 15, `${named}`);
  const tests = ["cri", "ctr"].map((name) => read(`test/runtimes/${name}.test.ts`)).join("");
  for (const title of named) assert.ok(tests.includes(`"${title}"`), title);
});

test("links between pages lead to pages and headings", () => {
  const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
  const below = readdirSync(new URL("../docs", import.meta.url), { recursive: true, encoding: "utf8" });
  pages.push(...below.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`));
  const anchorsIn = (text: string) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
      ([link, path, anchor]) => {
        const target = path === "" ? page : join(dirname(page), path!);
        const isThere = existsSync(new URL(`../${target}`, import.meta.url));
        return isThere && (!anchor || anchorsIn(read(target)).includes(anchor)) ? [] : [`${page}: ${link}`];
      },
    ),
  );
  assert.deepEqual(broken, []);
});

test("docs/own-plugin.md shows the example as it is tested", () => {
  assert.ok(read("docs/own-plugin.md").includes(`\`\`\`ts\n${read("examples/island.ts")}\`\`\`\n`));
});

test("docs/specification.md names a test for every item", () => {
  const items = [...read("docs/specification.md").matchAll(/^\| \d+ \|.*$/gm)].map(([line]) => line);
  for (const item of items) assert.match(item, /`[\w./-]+\.test\.ts` ".*?" \|$/, item);
  assert.doesNotMatch(read("docs/specification.md"), /pending/);
});

test("docs/specification.md has all 48 items, in order", () => {
  const numbers = [...read("docs/specification.md").matchAll(/^\| (\d+) \|/gm)].map(([, number]) =>
    Number(number),
  );
  assert.deepEqual(
    numbers,
    Array.from({ length: 48 }, (_, index) => index + 1),
  );
});
