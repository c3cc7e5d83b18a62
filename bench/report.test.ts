import assert from "node:assert/strict";
import { test } from "node:test";
import { figureOf } from "./figure.ts";
import { json, table } from "./report.ts";

const machine = { kernel: "6.1", cpu: "Example CPU", cpus: 2, ours: "plumb 1", reference: "/usr/lib/cni" };

const figures = [
  figureOf(
    "bridge ADD",
    "ms",
    new Map([
      ["ours", [2, 4]],
      ["reference", [8, 8]],
      ["floor", [1, 1]],
    ]),
    { faster: 2.5 },
  ),
  figureOf(
    "DEL",
    "ms",
    new Map([
      ["ours", [10]],
      ["reference", [12]],
    ]),
    { faster: 1.3 },
  ),
  figureOf("memory", "MB", new Map([["ours", [2.5]]]), { atMost: 2 }, { reference: "no such plugin" }),
];

test("a figure compares by pairs and judges its targets", () => {
  const [add, del, memory] = figures;
  assert.equal(add!.timesFaster, 3);
  assert.equal(add!.overFloor, 3);
  assert.deepEqual(add!.targets, [{ promise: "≥2.5× the reference", value: 3, met: true }]);
  assert.deepEqual(del!.targets, [{ promise: "≥1.3× the reference", value: 1.2, met: false }]);
  assert.deepEqual(memory!.targets, [{ promise: "≤2 MB", value: 2.5, met: false }]);
});

test("the table has a line a figure and names what is missing", () => {
  const lines = table(machine, figures).split("\n");
  assert.equal(lines[0], "Linux 6.1, 2 × Example CPU");
  assert.deepEqual(
    lines.slice(4, 7).map((line) => line.split(/ {2,}/)),
    [
      [
        "bridge ADD",
        "3.00 ms (2.00–4.00)",
        "8.00 ms (8.00–8.00)",
        "3.00×",
        "1.00 ms (1.00–1.00)",
        "3.00×",
        "≥2.5× the reference: met (3.00)",
      ],
      ["DEL", "10.0 ms", "12.0 ms", "1.20×", "-", "≥1.3× the reference: MISSED (1.20)"],
      ["memory", "2.50 MB", "-", "-", "≤2 MB: MISSED (2.50)"],
    ],
  );
  assert.equal(lines[8], "memory: reference not measured: no such plugin");
});

test("columns line up", () => {
  const [head, first] = table(machine, figures).split("\n").slice(3, 5);
  assert.equal(head!.indexOf("target"), first!.indexOf("≥2.5"));
});

test("the JSON is the figures themselves", () =>
  assert.deepEqual(JSON.parse(json(machine, figures)), {
    machine,
    figures: JSON.parse(JSON.stringify(figures)),
  }));
