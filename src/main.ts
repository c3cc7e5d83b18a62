import { Host } from "./host/host.ts";
import { table } from "./host/engine.ts";

const host = new Host(table());
host.stdout(`${host.argv().join(" ")}\n`);
