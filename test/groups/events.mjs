// A reporter for node:test: a line of JSON for each test that ended, for nested.ts to read.
export default async function* events(source) {
  const path = [];
  for await (const { type, data } of source) {
    if (type === "test:start") path[data.nesting] = data.name;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { error, type: kind } = data.details;
    // A suite fails because a test in it did, which is told already; or by itself.
    if (kind === "suite" && (!error || error.failureType === "subtestsFailed")) continue;
    const name = [...path.slice(0, data.nesting), data.name].join(" > ");
    const failure =
      error && (error.cause?.stack ?? error.cause?.message ?? String(error.cause ?? error.message));
    yield `${JSON.stringify({ name, failure, skip: data.skip })}\n`;
  }
}
