import assert from "node:assert/strict";
import { test } from "node:test";
import { type RateLimit, tokenBucket } from "./rate-limit.ts";

const U32_MAX = 2 ** 32 - 1;

const rows: [
  what: string,
  limit: RateLimit,
  expected: [rate: number, limit: number, buffer: number, burst?: number],
][] = [
  ["bits become bytes", { rate: 8_000, burst: 80_000 }, [1_000, 25 + 10_000, 156_250_000]],
  ["parts of bytes are cut", { rate: 8_007, burst: 80_007 }, [1_000, 25 + 10_000, 156_250_000]],
  // 100 KB at 1 MB/s fill in 100 ms.
  ["a megabyte per second", { rate: 8e6, burst: 8e5 }, [1e6, 25_000 + 100_000, 1_562_500]],
  // 3 bytes at 7 B/s fill in 428,571.4 µs, which are 6,696,421.9 ticks.
  ["parts of microseconds and ticks are cut", { rate: 56, burst: 24 }, [7, 3, 6_696_421]],
  ["25 ms of the rate may wait", { rate: 8e9, burst: 8e6 }, [1e9, 25_000_000 + 1_000_000, 15_625]],
  ["a rate beyond 32 bits", { rate: 1e11, burst: 8e9 }, [12.5e9, 312_500_000 + 1e9, 1_250_000]],
  // What containerd sends for no limit, at a rate that makes the bucket fill within 274 s.
  ["a burst of 2^32 - 1", { rate: 1e8, burst: U32_MAX }, [12.5e6, 312_500 + 536_870_911, 671_088_625]],
  [
    "a bucket that fills for longer",
    { rate: 1e6, burst: U32_MAX },
    [125_000, 3_125 + 536_870_911, 0, 536_870_911],
  ],
  ["a bucket that fills in no time", { rate: 1e10, burst: 8_000 }, [1.25e9, 31_250_000 + 1_000, 0, 1_000]],
  ["more waits than 32 bits can say", { rate: 8e9, burst: 8 * (U32_MAX - 1) }, [1e9, U32_MAX, 67_108_859]],
];

for (const [what, limit, [rate, queued, buffer, burst]] of rows)
  test(`a limit in the kernel's terms: ${what}`, () => {
    assert.deepEqual(tokenBucket(limit), { rate, limit: queued, buffer, burst });
  });
