import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "./leases.ts";

test("leases are shown in columns", () => {
  const id = { containerId: "c1", network: "lan", ifName: "eth0" };
  const listed = [
    {
      ...id,
      leases: [
        {
          family: 4 as const,
          addresses: ["10.1.0.5/24"],
          server: "10.1.0.1",
          renewsIn: 59,
          expiresIn: 7_200,
        },
        { family: 6 as const, addresses: ["fd00::5/64", "fd01::5/64"], renewsIn: 150, expiresIn: null },
      ],
    },
    { ...id, containerId: "container-2", leases: [{ family: 4 as const, addresses: [] }] },
  ];
  assert.equal(
    table(listed),
    [
      "CONTAINER    NETWORK  INTERFACE  ADDRESS                SERVER    RENEWS  EXPIRES",
      "c1           lan      eth0       10.1.0.5/24            10.1.0.1  59 s    2 h",
      "c1           lan      eth0       fd00::5/64,fd01::5/64  -         3 min   never",
      "container-2  lan      eth0       none for IPv4          -         -       -",
      "",
    ].join("\n"),
  );
  assert.equal(table([]), "CONTAINER  NETWORK  INTERFACE  ADDRESS  SERVER  RENEWS  EXPIRES\n");
});
