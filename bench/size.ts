import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { atLeast, type Figure, figureOf } from "./figure.ts";
import type { World } from "./world.ts";

const MB = 1 << 20;
const PT_INTERP = 3;

/** How large is what is installed? Ours is one executable for all plugins, the reference's one for each. */
export function size(world: World): Figure[] {
  const executable = readFileSync(world.executable);
  const others = readdirSync(world.reference).map((name) => statSync(join(world.reference, name)).size);
  const samples = new Map([
    ["ours" as const, [executable.length / MB]],
    ["reference" as const, [others.reduce((sum, bytes) => sum + bytes, 0) / MB]],
  ]);
  const figure = figureOf("size of all plugins", "MB", samples, { atMost: 2 });
  const isStatic = atLeast("static", wantsInterpreter(executable) ? 0 : 1, 1);
  return [{ ...figure, targets: [...figure.targets, isStatic] }];
}

/** Whether an ELF program of 64 bits, little-endian, asks for a dynamic linker (elf(5): PT_INTERP). */
function wantsInterpreter(elf: Buffer): boolean {
  const [headers, entrySize, count] = [
    Number(elf.readBigUInt64LE(32)),
    elf.readUInt16LE(54),
    elf.readUInt16LE(56),
  ];
  return Array.from({ length: count }, (_, index) => elf.readUInt32LE(headers + index * entrySize)).includes(
    PT_INTERP,
  );
}
