import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { SysError } from "../host/host.ts";
import { NetlinkError } from "../netlink/error.ts";
import { CniError } from "../spec/errors.ts";
import { explain, rootOf } from "./explain.ts";

test("whatever is thrown has a code, its own words and advice", () => {
  const kernel = (number: number) => new NetlinkError("add link x", { errno: number, text: "" });
  const system = (number: number) => new SysError("open", number, "/x");
  const rows: [error: unknown, code: number, message: RegExp, details: RegExp][] = [
    [new CniError(50, "not ready", "Wait."), 50, /^not ready$/, /^Wait\.$/],
    [kernel(errno.EPERM), 100, /^cannot add link x: .*EPERM/, /^Run as root, or with the capabilities/],
    [kernel(errno.EOPNOTSUPP), 100, /EOPNOTSUPP/, /^The kernel lacks this feature/],
    // In the kernel it is a table that is full.
    [kernel(errno.ENOSPC), 100, /ENOSPC/, /^$/],
    [kernel(errno.EEXIST), 100, /^cannot add link x: File exists \(EEXIST\)$/, /^$/],
    [system(errno.EACCES), 5, /^open \/x: EACCES$/, /^Run as root/],
    [system(errno.ENOENT), 5, /^open \/x: ENOENT$/, /no such file/],
    [system(errno.ENOSPC), 5, /ENOSPC/, /^The disk is full/],
    [system(errno.EDQUOT), 5, /EDQUOT/, /^The disk is full/],
    [system(errno.EROFS), 5, /EROFS/, /read-only/],
    [system(errno.EMFILE), 5, /EMFILE/, /ulimit -n/],
    [system(errno.EIO), 5, /^open \/x: EIO$/, /^$/],
    [new TypeError("x is undefined"), 999, /^TypeError: x is undefined$/, /^This is a fault of plumb itself/],
    ["a text", 999, /^a text$/, /^This is a fault/],
    [undefined, 999, /^undefined$/, /^This is a fault/],
  ];
  for (const [error, code, message, details] of rows) {
    const explained = explain(error);
    assert.equal(explained.code, code);
    assert.match(explained.message, message);
    assert.match(explained.details, details);
    assert.equal(rootOf(explained), error === undefined ? explained : error);
  }
});

test("the root of an error is what was thrown first", () => {
  const root = new RangeError("root");
  assert.equal(rootOf(new CniError(1, "c", "", { cause: new Error("b", { cause: root }) })), root);
  assert.equal(rootOf(root), root);
  assert.equal(rootOf("text"), "text");
});
