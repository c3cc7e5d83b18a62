#!/usr/bin/env node
// Measures plumb: see README.md beside this file.
import "ts-blank-space/register";

const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
