import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { constants, deflateRawSync, type ZlibOptions } from "node:zlib";
import fc from "fast-check";
import { root } from "../root.ts";

// What zlib packs, native/inflate.c unpacks, and reads and writes no byte beyond the margins. It trusts what it is given.

const directory = mkdtempSync(join(tmpdir(), "plumb-inflate-"));
const program = join(directory, "inflate");
after(() => rmSync(directory, { recursive: true }));

before(() => {
  const flags = ["-std=gnu11", "-funsigned-char", "-O1", "-g", "-fsanitize=address,undefined"];
  const sources = ["native/inflate.c", "test/native/inflate.c"].map((name) => join(root, name));
  execFileSync("gcc", [...flags, "-fno-sanitize-recover", "-Inative", ...sources, "-o", program], {
    cwd: root,
  });
});

/** The margin that native/pack.mjs gives what it packs. */
const [, margin] = /MARGIN = Buffer.alloc\((\d+)\)/.exec(
  readFileSync(join(root, "native/pack.mjs"), "utf8"),
)!;

function frame(data: Uint8Array, options: ZlibOptions): Buffer {
  const packed = Buffer.concat([deflateRawSync(data, options), Buffer.alloc(Number(margin))]);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(packed.length);
  lengths.writeUInt32LE(data.length, 4);
  return Buffer.concat([lengths, packed]);
}

function comesBack(all: readonly Uint8Array[], options: ZlibOptions): void {
  const { status, stderr, stdout } = spawnSync(program, {
    input: Buffer.concat(all.map((data) => frame(data, options))),
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, `${stderr}`);
  assert.ok(stdout.equals(Buffer.concat(all)));
}

const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_FILTERED, Z_BEST_COMPRESSION, Z_MAX_MEMLEVEL } = constants;
const KINDS: Readonly<Record<string, ZlibOptions>> = {
  "as the build packs": { level: Z_BEST_COMPRESSION, memLevel: Z_MAX_MEMLEVEL },
  "not packed": { level: 0 },
  "with the fixed codes": { strategy: Z_FIXED },
  "without repetitions": { strategy: Z_HUFFMAN_ONLY },
  "with repetitions of the last byte alone": { strategy: Z_RLE },
  "with few repetitions": { strategy: Z_FILTERED },
  "in short blocks": { memLevel: 1, windowBits: 9 },
};

/** Symbols as rare as 1 in 2^18: their codes are as long as codes can be. */
function skewed(): Buffer {
  const parts = Array.from({ length: 19 }, (_, symbol) => Buffer.alloc(1 << symbol, symbol * 13));
  const bytes = Buffer.concat(parts);
  // Mixed, but the same each time.
  for (let at = bytes.length - 1, seed = 1; at > 0; at--) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    const other = seed % (at + 1);
    [bytes[at], bytes[other]] = [bytes[other]!, bytes[at]!];
  }
  return bytes;
}

const samples: readonly Uint8Array[] = [
  Buffer.alloc(0),
  ...Array.from({ length: 70 }, (_, length) => Buffer.alloc(length + 1, "abcdefg")),
  ...[1, 2, 257, 258, 259, 65_535, 65_536, 200_000].flatMap((n) => [Buffer.alloc(n), randomBytes(n)]),
  Buffer.concat([randomBytes(32_768), Buffer.alloc(40), randomBytes(33)]),
  Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * at) >> 7)),
  skewed(),
  ...readdirSync(join(root, "native")).map((name) => readFileSync(join(root, "native", name))),
  readFileSync(process.execPath).subarray(0, 4 << 20),
];

for (const [kind, options] of Object.entries(KINDS))
  test(`${kind}`, () => {
    comesBack(samples, options);
    const piece = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 300 }));
    const data = fc
      .array(piece, { maxLength: 30 })
      .map((pieces) => Buffer.concat(pieces.flatMap(([bytes, times]) => Array(times).fill(bytes))));
    fc.assert(
      fc.property(fc.array(data, { minLength: 100, maxLength: 100 }), (all) => comesBack(all, options)),
      { numRuns: 3 },
    );
  });
