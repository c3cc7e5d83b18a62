import assert from "node:assert/strict";
import { test } from "node:test";
import {
  absolutePath,
  duration,
  FlagError,
  flagsHelp,
  parseDuration,
  parseFlags,
  text,
  toggle,
} from "./flags.ts";

const flags = {
  pidfile: absolutePath("where"),
  name: text("what", "NAME", "x"),
  broadcast: toggle("whether"),
  timeout: duration("how long", 10_000),
  probe: duration("how long", 50, 0),
};
const defaults = { pidfile: "", name: "x", broadcast: false, timeout: 10_000, probe: 50 };

test("flags are read as programs in Go read them", () => {
  const rows: [words: string, values: Partial<typeof defaults>][] = [
    ["", {}],
    ["-name a", { name: "a" }],
    ["--name a", { name: "a" }],
    ["-name=a=b", { name: "a=b" }],
    ["--name=", { name: "" }],
    ["-name -broadcast", { name: "-broadcast" }],
    ["-name a -name b", { name: "b" }],
    ["-broadcast -name a", { broadcast: true, name: "a" }],
    ["-broadcast=false", { broadcast: false }],
    ["--broadcast=T", { broadcast: true }],
    ["-timeout 1m30s -probe=0", { timeout: 90_000, probe: 0 }],
    ["-pidfile /run/dhcp.pid", { pidfile: "/run/dhcp.pid" }],
  ];
  for (const [words, values] of rows)
    assert.deepEqual(parseFlags(words.split(" ").filter(Boolean), flags), { ...defaults, ...values }, words);
});

test("a wrong flag is named", () => {
  const rows: [words: string[], message: string][] = [
    [["-tiemout", "2s"], "unknown flag -tiemout"],
    [["-toString", "2s"], "unknown flag -toString"],
    [["-timeout"], "-timeout needs a value: -timeout DURATION"],
    [["-timeout=2"], '-timeout: expected a duration such as 10s or 1m30s, at least 1 ms, got "2"'],
    [["-timeout", "0"], '-timeout: expected a duration such as 10s or 1m30s, at least 1 ms, got "0"'],
    [["-probe", "-1s"], '-probe: expected a duration such as 10s or 1m30s, at least 0 ms, got "-1s"'],
    [["-broadcast=yes"], '-broadcast: expected true or false, got "yes"'],
    [["-broadcast", "false"], 'unexpected argument "false"'],
    [["-pidfile", "dhcp.pid"], '-pidfile: expected an absolute path, got "dhcp.pid"'],
    [["-"], 'unexpected argument "-"'],
    [["--"], 'unexpected argument "--"'],
    [["---name", "a"], 'unexpected argument "---name"'],
    [["-=a"], 'unexpected argument "-=a"'],
  ];
  for (const [words, message] of rows)
    assert.throws(() => parseFlags(words, flags), new FlagError(message), words.join(" "));
});

test("help is asked for in any place before what is wrong", () => {
  for (const word of ["-h", "--h", "-help", "--help"])
    assert.equal(parseFlags(["-name", "a", word, "-wrong"], flags), "help");
  const help = flagsHelp(flags);
  for (const name of Object.keys(flags)) assert.match(help, new RegExp(`^  -${name} .*(wh|how)`, "m"));
});

test("durations are those of Go", () => {
  const rows: [typed: string, ms: number | undefined][] = [
    ["0", 0],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["1h", 3_600_000],
    ["1.5s", 1500],
    [".5s", 500],
    ["1.s", 1000],
    ["+2s", 2000],
    ["500ms", 500],
    ["250us", 0.25],
    ["250µs", 0.25],
    ["1000000ns", 1],
    ["-2s", undefined],
    ["2", undefined],
    ["s", undefined],
    [".s", undefined],
    ["2 s", undefined],
    ["2s ", undefined],
    ["2d", undefined],
    ["1e3s", undefined],
    ["1..5s", undefined],
    ["", undefined],
  ];
  for (const [typed, ms] of rows) assert.equal(parseDuration(typed), ms, typed);
});
