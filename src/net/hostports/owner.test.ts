import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import { COMMENT_LENGTH_MAX } from "../../netlink/nftables/comment.ts";
import { describeOwner, isOfContainer, isOfNetwork, ownerComment } from "./owner.ts";

const host = new Host(new FakeSystem().sys);
const id = "0123456789abcdef".repeat(4);

test("the comment names the owner, and tells of which network and container it is", () => {
  const rows: [network: string, containerId: string, ifName: string][] = [
    ["net", id, "eth0"],
    ["a.b-c_d", "c1", "eth0"],
    ["n".repeat(100), id, "eth0"],
    ["net", "c".repeat(200), "eth0"],
    ["net", "c1", "net€"],
  ];
  const comments = rows.map(([network, containerId, ifName]) =>
    ownerComment(host, { network, containerId, ifName }),
  );
  assert.equal(new Set(comments).size, rows.length);
  for (const [index, comment] of comments.entries()) {
    assert.ok(comment.length <= COMMENT_LENGTH_MAX, comment);
    for (const network of ["net", "n", "ne", "a.b-c_d", "n".repeat(100)])
      assert.equal(
        isOfNetwork(host, comment, network),
        network === rows[index]![0],
        `${comment}: ${network}`,
      );
    for (const containerId of ["c1", "c", id, "c".repeat(200), ""])
      assert.equal(isOfContainer(host, comment, containerId), containerId === rows[index]![1], comment);
  }
  assert.equal(comments[1], "a.b-c_d/c1/eth0");
});

test("other implementations name the container alone", () => {
  assert.ok(isOfContainer(host, "c1", "c1"));
  assert.ok(!isOfContainer(host, "c1", "c2"));
  assert.ok(!isOfContainer(host, undefined, "c2"));
  assert.ok(!isOfNetwork(host, "c1", "net"));
});

test("an owner for who reads it", () => {
  assert.equal(describeOwner("c1"), "container c1");
  assert.equal(describeOwner("net/c1/eth0"), "container c1 (network net, interface eth0)");
  assert.equal(describeOwner("0123/abcd"), "an attachment with the digest 0123/abcd");
  assert.equal(describeOwner(""), "somebody who is not named");
});
